import { lazy, Suspense, useEffect, useState } from 'react';
import {
  Button, Masthead, MastheadContent, MastheadMain, MastheadToggle, Nav, NavItem, NavList, Page, PageSection, PageSidebar, PageSidebarBody,
  PageToggleButton, SkipToContent, Toolbar, ToolbarContent, ToolbarGroup, ToolbarItem,
} from '@patternfly/react-core';
import BarsIcon from '@patternfly/react-icons/dist/esm/icons/bars-icon';
import MoonIcon from '@patternfly/react-icons/dist/esm/icons/moon-icon';
import SunIcon from '@patternfly/react-icons/dist/esm/icons/sun-icon';
import { Link, navigate, useLocation, follow } from './router';
import { SessionProvider, useSession, useVerified } from './session';
import { SignIn } from './pages/SignIn';
import { Message } from './pages/Message';
import { applyTheme, isDark } from './theme';
import { t } from './strings';
import { Empty, ErrorPanel, Loading } from './ui/parts';

const Endpoints = lazy(() => import('./pages/Endpoints'));
const CloudFoundry = lazy(() => import('./pages/CloudFoundry'));
const Me = lazy(() => import('./pages/Me'));
const Setup = lazy(() => import('./pages/Setup'));

export function App() {
  const verified = useVerified();
  const { data } = verified;
  if (verified.error) return <ErrorPanel error={verified.error} retry={() => void verified.refetch()} />;
  switch (data?.kind) {
    case undefined: return <Loading />;
    case 'unreachable': return <Message title={t.states.unreachableTitle} text={t.states.unreachable} retry={() => void verified.refetch()} />;
    case 'upgrade': return <Message title={t.states.upgradeTitle} text={t.states.upgrade} retry={() => void verified.refetch()} />;
    case 'failed': return <Message title={t.states.failedTitle} text={t.states.failed(data.status)} retry={() => void verified.refetch()} />;
    case 'domain':
      return <Message title={t.states.domainTitle} text={t.states.domain(data.domain, window.location.hostname)} />;
    case 'setup': return <Suspense fallback={<Loading />}><Setup onDone={() => void verified.refetch()} /></Suspense>;
    case 'out': return <SignIn sso={data.sso} onSignedIn={() => void verified.refetch()} />;
    case 'in':
      return <SessionProvider info={data.info} expiresAt={data.expiresAt}><Shell /></SessionProvider>;
  }
}

/** Hosted in Cloud Foundry without a database that lasts: the console serves that foundation, and nothing else is registered. */
export const useIsHosted = () => useSession().info['plugin-config']?.['disablePersistenceFeatures'] === 'true';

function Shell() {
  const { info, leave } = useSession();
  const { path } = useLocation();
  const [dark, setDark] = useState(isDark);
  const hosted = useIsHosted();
  const items = [
    ...(hosted ? [] : [{ to: '/endpoints', text: t.endpoints.title }]),
    { to: '/cf', text: t.cf.title },
    { to: '/me', text: t.me.title },
  ];
  const home = items[0]?.to ?? '/me';
  useEffect(() => {
    if (path === '/' || path.startsWith('/login') || path.startsWith('/setup') || (hosted && path.startsWith('/endpoints'))) navigate(home, true);
  }, [path, home, hosted]);
  const themeLabel = t.theme(dark);
  const header = (
    <Masthead>
      <MastheadToggle>
        <PageToggleButton variant="plain" aria-label={t.navigation}><BarsIcon /></PageToggleButton>
      </MastheadToggle>
      <MastheadMain><Link to={home} className="st-brand">{t.product}</Link></MastheadMain>
      <MastheadContent>
        <Toolbar isFullHeight isStatic className="st-masthead-tools">
          <ToolbarContent>
            <ToolbarGroup align={{ default: 'alignRight' }} variant="button-group">
              <ToolbarItem alignSelf="center"><Link to="/me" className="st-user" label={t.signedInAs(info.user.name)}>{info.user.name}</Link></ToolbarItem>
              <ToolbarItem>
                <Button variant="plain" aria-label={themeLabel} title={themeLabel} onClick={() => { applyTheme(!dark); setDark(!dark); }}>
                  {dark ? <SunIcon /> : <MoonIcon />}
                </Button>
              </ToolbarItem>
              <ToolbarItem><Button variant="secondary" onClick={() => void leave()}>{t.signOut}</Button></ToolbarItem>
            </ToolbarGroup>
          </ToolbarContent>
        </Toolbar>
      </MastheadContent>
    </Masthead>
  );
  const sidebar = (
    <PageSidebar>
      <PageSidebarBody>
        <Nav aria-label={t.navigation}>
          <NavList>
            {items.map(({ to, text }) => (
              <NavItem key={to} to={to} isActive={path.startsWith(to)} onClick={(event) => follow(event as unknown as React.MouseEvent, to)}>{text}</NavItem>
            ))}
          </NavList>
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  );
  return (
    <Page header={header} sidebar={sidebar} isManagedSidebar mainContainerId="main" skipToContent={<SkipToContent href="#main">{t.skipToContent}</SkipToContent>}>
      <PageSection isFilled>
        <Suspense fallback={<Loading />}><Content path={path} /></Suspense>
      </PageSection>
    </Page>
  );
}

function Content({ path }: { path: string }) {
  if (path.startsWith('/endpoints')) return <Endpoints />;
  if (path === '/cf' || path.startsWith('/cf/')) return <CloudFoundry />;
  if (path.startsWith('/me')) return <Me />;
  return path === '/' || path.startsWith('/login') || path.startsWith('/setup') ? <Loading /> : <Empty title={t.notFound} />;
}
