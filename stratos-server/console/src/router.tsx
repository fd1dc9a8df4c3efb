import { createContext, useContext, useEffect, useState, type MouseEvent, type ReactNode } from 'react';

interface Location { path: string; query: URLSearchParams }
const read = (): Location => ({ path: window.location.pathname, query: new URLSearchParams(window.location.search) });
const kChanged = 'stratos-navigated';

export function navigate(to: string, replace = false) {
  if (replace) window.history.replaceState(null, '', to);
  else window.history.pushState(null, '', to);
  window.dispatchEvent(new Event(kChanged));
}

const LocationContext = createContext<Location>(read());
export const useLocation = () => useContext(LocationContext);

export function Router({ children }: { children: ReactNode }) {
  const [location, setLocation] = useState(read);
  useEffect(() => {
    const update = () => setLocation(read());
    window.addEventListener('popstate', update);
    window.addEventListener(kChanged, update);
    return () => {
      window.removeEventListener('popstate', update);
      window.removeEventListener(kChanged, update);
    };
  }, []);
  return <LocationContext.Provider value={location}>{children}</LocationContext.Provider>;
}

/** Leaves clicks that open a new tab to the browser. */
export function follow(event: MouseEvent, to: string) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  navigate(to);
}

export function Link({ to, children, className, label, isCurrent }: { to: string; children: ReactNode; className?: string; label?: string; isCurrent?: boolean }) {
  return <a href={to} className={className} aria-label={label} aria-current={isCurrent ? 'page' : undefined} onClick={(event) => follow(event, to)}>{children}</a>;
}
