import { createContext, useCallback, useContext, useEffect, useRef, useState, type ReactNode } from 'react';
import { Button, Modal } from '@patternfly/react-core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { secondsUntil, setSessionEndHandler, signOut, verify, type Verified } from './api/client';
import type { Endpoint, Info } from './api/types';
import { t } from './strings';

const kVerifyKey = ['verify'];
const kWarnSeconds = 120;
const kRetryMs = 5000;
const kTickMs = 1000;

/** Who is signed in, asked again by itself while there is no answer that can be worked with. */
export function useVerified() {
  return useQuery<Verified>({
    queryKey: kVerifyKey,
    queryFn: verify,
    staleTime: Infinity,
    retry: false,
    refetchInterval: (query) => {
      const kind = query.state.data?.kind;
      return kind === 'unreachable' || kind === 'upgrade' || kind === 'failed' ? kRetryMs : false;
    },
  });
}

export function useRefreshInfo() {
  const queries = useQueryClient();
  return useCallback(() => queries.invalidateQueries({ queryKey: kVerifyKey }), [queries]);
}

interface SessionValue { info: Info; endpoints: Endpoint[]; leave: () => Promise<void> }
const SessionContext = createContext<SessionValue | null>(null);
export function useSession(): SessionValue {
  const value = useContext(SessionContext);
  if (!value) throw new Error('no session here');
  return value;
}

let endedByServer = false;
export const takeEndedByServer = () => endedByServer;
let beenIn = false;
/** Whether somebody was signed in since the page was loaded. */
export const hasBeenIn = () => beenIn;

export function SessionProvider({ info, expiresAt, children }: { info: Info; expiresAt: number; children: ReactNode }) {
  const queries = useQueryClient();
  const [left, setLeft] = useState(() => secondsUntil(expiresAt));
  const active = useRef(false);

  const becomeSignedOut = useCallback((byServer: boolean) => {
    endedByServer = byServer;
    queries.removeQueries({ predicate: (query) => query.queryKey[0] !== kVerifyKey[0] });
    return queries.invalidateQueries({ queryKey: kVerifyKey });
  }, [queries]);
  const renew = useCallback(() => queries.invalidateQueries({ queryKey: kVerifyKey }), [queries]);

  useEffect(() => {
    endedByServer = false;
    beenIn = true;
    setSessionEndHandler(() => void becomeSignedOut(true));
    return () => setSessionEndHandler(() => undefined);
  }, [becomeSignedOut]);

  // Work at the page keeps the session; silence lets it end, after a warning.
  useEffect(() => {
    const note = () => { active.current = true; };
    const lifetime = secondsUntil(expiresAt);
    const timer = window.setInterval(() => {
      const remaining = secondsUntil(expiresAt);
      setLeft(remaining);
      if (remaining <= 0) void becomeSignedOut(true);
      else if (active.current && remaining < lifetime / 2 && remaining > kWarnSeconds) {
        active.current = false;
        void renew();
      }
    }, kTickMs);
    window.addEventListener('pointerdown', note);
    window.addEventListener('keydown', note);
    return () => {
      window.clearInterval(timer);
      window.removeEventListener('pointerdown', note);
      window.removeEventListener('keydown', note);
    };
  }, [expiresAt, renew, becomeSignedOut]);

  const leave = useCallback(async () => {
    const { isSSO } = await signOut();
    if (isSSO) window.location.assign(`/pp/v1/auth/sso_logout?state=${encodeURIComponent(window.location.origin)}`);
    else await becomeSignedOut(false);
  }, [becomeSignedOut]);

  const endpoints = Object.values(info.endpoints).flatMap((ofType) => Object.values(ofType));
  return (
    <SessionContext.Provider value={{ info, endpoints, leave }}>
      {children}
      {left > 0 && left <= kWarnSeconds && (
        <Modal isOpen variant="small" title={t.session.warningTitle} titleIconVariant="warning" showClose={false} actions={[
          <Button key="stay" onClick={() => void renew()}>{t.session.stay}</Button>,
          <Button key="out" variant="link" onClick={() => void leave()}>{t.signOut}</Button>,
        ]}>
          {t.session.warning(left)}
        </Modal>
      )}
    </SessionContext.Provider>
  );
}
