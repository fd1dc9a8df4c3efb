const kKey = 'stratos-theme';
const kDarkClass = 'pf-v5-theme-dark';

export const isDark = () => document.documentElement.classList.contains(kDarkClass);

export function applyTheme(dark?: boolean) {
  if (dark !== undefined) localStorage.setItem(kKey, dark ? 'dark' : 'light');
  const wish = localStorage.getItem(kKey);
  const wanted = wish ? wish === 'dark' : window.matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.classList.toggle(kDarkClass, wanted);
}
