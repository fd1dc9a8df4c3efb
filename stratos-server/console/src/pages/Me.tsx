import { useState, type ReactNode } from 'react';
import { Alert, Button, Card, CardBody, CardTitle, Form, Title } from '@patternfly/react-core';
import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { call } from '../api/client';
import { listFavourites, removeFavourite } from '../api/endpoints';
import type { ApiKey, Profile, Session } from '../api/types';
import { useSession } from '../session';
import { t } from '../strings';
import { Confirm, ErrorPanel, Field, Loading, messageOf, Row, Table, useToast } from '../ui/parts';

interface Asked { title: string; text: string; action: string; run: () => Promise<unknown> }
const when = (text?: string | null) => (text ? new Date(text).toLocaleString() : t.me.keyNever);

function Part<T>({ title, query, children }: { title: string; query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  return (
    <Card className="st-section">
      <CardTitle component="h2">{title}</CardTitle>
      <CardBody>
        {query.isLoading && <Loading />}
        {query.error && <ErrorPanel error={query.error} retry={() => void query.refetch()} />}
        {query.data !== undefined && !query.error && children(query.data)}
      </CardBody>
    </Card>
  );
}

export default function Me() {
  const { info } = useSession();
  const [asked, setAsked] = useState<Asked | null>(null);
  const keysAllowed = info.config.APIKeysEnabled === 'all_users' || (info.config.APIKeysEnabled === 'admin_only' && info.user.admin);
  return (
    <>
      <div className="st-head"><Title headingLevel="h1">{info.user.name}</Title></div>
      <Favourites />
      <ProfileAndPassword />
      {keysAllowed && <Keys ask={setAsked} />}
      <Sessions ask={setAsked} />
      <About />
      {asked && <Confirm title={asked.title} text={asked.text} action={asked.action} onConfirm={asked.run} onClose={() => setAsked(null)} />}
    </>
  );
}

function Favourites() {
  const { endpoints } = useSession();
  const queries = useQueryClient();
  const toast = useToast();
  const list = useQuery({ queryKey: ['favourites'], queryFn: listFavourites });
  const remove = (guid: string) =>
    void removeFavourite(guid).catch((error: unknown) => toast(messageOf(error), 'danger')).then(() => queries.invalidateQueries({ queryKey: ['favourites'] }));
  const labels = [t.endpoints.name, t.endpoints.type, t.actions];
  return (
    <Part title={t.me.favourites} query={list}>
      {(favourites) => (favourites.length === 0 ? <p>{t.me.noFavouritesText}</p> : (
        <Table label={t.me.favourites} head={labels}>
          {favourites.map((favourite) => {
            const metadata = favourite.metadata as { name?: string } | null | undefined;
            const name = endpoints.find(({ guid }) => guid === favourite.endpointId)?.name ?? metadata?.name ?? favourite.endpointId;
            return <Row key={favourite.guid} labels={labels} cells={[
              name, t.kinds[favourite.endpointType] ?? favourite.endpointType,
              <Button size="sm" variant="secondary" aria-label={t.endpoints.unfavourite(name)} onClick={() => remove(favourite.guid)}>{t.me.deleteKey}</Button>,
            ]} />;
          })}
        </Table>
      ))}
    </Part>
  );
}

function ProfileAndPassword() {
  const { info } = useSession();
  const toast = useToast();
  const profile = useQuery({ queryKey: ['profile'], queryFn: () => call<Profile>(`/pp/v1/users/${encodeURIComponent(info.user.guid)}`, { ownRefusal: true }) });
  const [edited, setEdited] = useState(false);
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [repeat, setRepeat] = useState('');
  const [error, setError] = useState('');
  const submit = async () => {
    setError('');
    if (next !== repeat) {
      setError(t.me.different);
      return;
    }
    try {
      await call(`/pp/v1/users/${encodeURIComponent(info.user.guid)}/password`, {
        method: 'PUT', ownRefusal: true, json: { oldPassword: current, password: next },
      });
      setCurrent('');
      setNext('');
      setRepeat('');
      toast(t.me.passwordChanged);
    } catch (refusal) {
      setError(messageOf(refusal));
    }
  };
  // Not every back end changes passwords here; the groups of the profile say so.
  const mayChange = JSON.stringify(profile.data?.['groups'] ?? []).includes('"password.write"');
  const rows = ({ userName, name, emails }: Profile): [string, ReactNode][] => [
    [t.me.userName, userName ?? info.user.name], [t.me.givenName, name?.givenName ?? ''], [t.me.familyName, name?.familyName ?? ''],
    [t.me.email, emails?.[0]?.value ?? ''], [t.me.admin, info.user.admin ? t.me.yes : t.me.no],
  ];
  return (
    <>
      <Part title={t.me.profile} query={profile}>
        {(data) => (edited
          ? <ProfileForm profile={data} onClose={() => setEdited(false)} onDone={() => { setEdited(false); toast(t.me.saved); void profile.refetch(); }} />
          : (
            <>
              <Pairs label={t.me.profile} rows={rows(data)} />
              {mayChange && <Button className="st-after" variant="secondary" onClick={() => setEdited(true)}>{t.me.editProfile}</Button>}
            </>
          ))}
      </Part>
      {mayChange && <Card className="st-section">
        <CardTitle component="h2">{t.me.password}</CardTitle>
        <CardBody>
          <Form className="st-card" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
            <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
            <Field id="password-now" label={t.me.passwordNeeded} type="password" value={current} onChange={setCurrent} autoComplete="current-password" />
            <Field id="password-new" label={t.me.newPassword} type="password" value={next} onChange={setNext} autoComplete="new-password" />
            <Field id="password-again" label={t.me.repeat} type="password" value={repeat} onChange={setRepeat} autoComplete="new-password" />
            <Button type="submit" isDisabled={!current || !next}>{t.me.changePassword}</Button>
          </Form>
        </CardBody>
      </Card>}
    </>
  );
}

/** Sends the whole profile back with what was changed; a UAA wants to hear which version that was. */
function ProfileForm({ profile, onClose, onDone }: { profile: Profile; onClose: () => void; onDone: () => void }) {
  const [given, setGiven] = useState(profile.name?.givenName ?? '');
  const [family, setFamily] = useState(profile.name?.familyName ?? '');
  const [email, setEmail] = useState(profile.emails?.[0]?.value ?? '');
  const [error, setError] = useState('');
  const version = (profile['meta'] as { version?: number } | undefined)?.version ?? 0;
  const submit = async () => {
    setError('');
    try {
      await call(`/pp/v1/users/${encodeURIComponent(profile.id)}`, {
        method: 'PUT', ownRefusal: true, headers: { 'if-match': String(version) },
        json: { ...profile, name: { ...profile.name, givenName: given, familyName: family }, emails: [{ ...profile.emails?.[0], value: email }] },
      });
      onDone();
    } catch (refusal) {
      setError(messageOf(refusal));
    }
  };
  return (
    <Form className="st-card" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
      <Field id="given-name" label={t.me.givenName} required={false} value={given} onChange={setGiven} autoComplete="given-name" />
      <Field id="family-name" label={t.me.familyName} required={false} value={family} onChange={setFamily} autoComplete="family-name" />
      <Field id="email" label={t.me.email} type="email" value={email} onChange={setEmail} autoComplete="email" />
      <div className="st-tools">
        <Button type="submit">{t.save}</Button>
        <Button variant="link" onClick={onClose}>{t.cancel}</Button>
      </div>
    </Form>
  );
}

function Pairs({ label, rows }: { label: string; rows: [string, ReactNode][] }) {
  return <dl className="st-pairs" aria-label={label}>{rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value || '–'}</dd></div>)}</dl>;
}

function Keys({ ask }: { ask: (asked: Asked) => void }) {
  const queries = useQueryClient();
  const list = useQuery({ queryKey: ['keys'], queryFn: () => call<ApiKey[]>('/pp/v1/api_keys') });
  const [comment, setComment] = useState('');
  const [days, setDays] = useState('90');
  const [made, setMade] = useState<ApiKey | null>(null);
  const [error, setError] = useState('');
  const refresh = () => queries.invalidateQueries({ queryKey: ['keys'] });
  const make = async () => {
    setError('');
    try {
      setMade(await call<ApiKey>('/pp/v1/api_keys', { form: { comment, ...(days && { expires_in_days: days }) }, ownRefusal: true }));
      setComment('');
      await refresh();
    } catch (refusal) {
      setError(messageOf(refusal));
    }
  };
  const remove = (key: ApiKey) => ask({
    title: t.me.deleteKeyTitle(key.comment), text: t.me.deleteKeyText(key.comment), action: t.me.deleteKey,
    run: async () => { await call(`/pp/v1/api_keys?guid=${encodeURIComponent(key.guid)}`, { method: 'DELETE', ownRefusal: true }); await refresh(); },
  });
  const labels = [t.me.keyComment, t.me.keyLastUsed, t.me.keyExpires, t.actions];
  return (
    <Part title={t.me.keys} query={list}>
      {(keys) => (
        <>
          {keys.length === 0 ? <p className="st-gap">{t.me.noKeys}</p> : (
            <Table label={t.me.keys} head={labels}>
              {keys.map((key) => <Row key={key.guid} labels={labels} cells={[
                key.comment, when(key.last_used), when(key.expires_at), <Button size="sm" variant="danger" onClick={() => remove(key)}>{t.me.deleteKey}</Button>,
              ]} />)}
            </Table>
          )}
          {made && <Alert className="st-gap" variant="success" isInline title={t.me.keySecret}><span className="st-secret">{made.secret}</span></Alert>}
          <Form className="st-card" onSubmit={(event) => { event.preventDefault(); void make(); }}>
            <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
            <Field id="key-comment" label={t.me.keyComment} value={comment} onChange={setComment} />
            <Field id="key-days" label={t.me.keyDays} type="number" required={false} value={days} onChange={setDays} />
            <Button type="submit" variant="secondary" isDisabled={!comment}>{t.me.makeKey}</Button>
          </Form>
        </>
      )}
    </Part>
  );
}

function Sessions({ ask }: { ask: (asked: Asked) => void }) {
  const queries = useQueryClient();
  const list = useQuery({ queryKey: ['sessions'], queryFn: () => call<Session[]>('/pp/v1/sessions') });
  const run = (path: string) => async () => { await call(path, { method: 'DELETE' }); await queries.invalidateQueries({ queryKey: ['sessions'] }); };
  const labels = [t.me.browser, t.me.address, t.me.since, t.me.seen, t.actions];
  return (
    <Part title={t.me.sessions} query={list}>
      {(sessions) => (
        <>
          <Table label={t.me.sessions} head={labels}>
            {sessions.map((session) => {
              const what = `${session.user_agent} (${session.address})`;
              return <Row key={session.id} labels={labels} cells={[
                session.user_agent, session.address, when(session.created_at), when(session.last_seen_at),
                session.current ? t.me.current : (
                  <Button size="sm" variant="danger" onClick={() => ask({ title: t.me.endTitle, text: t.me.endText(what), action: t.me.end, run: run(`/pp/v1/sessions/${encodeURIComponent(session.id)}`) })}>{t.me.end}</Button>
                ),
              ]} />;
            })}
          </Table>
          {sessions.length > 1 && (
            <Button variant="secondary" onClick={() => ask({ title: t.me.endOthersTitle, text: t.me.endOthersText, action: t.me.endOthers, run: run('/pp/v1/sessions') })}>{t.me.endOthers}</Button>
          )}
        </>
      )}
    </Part>
  );
}

function About() {
  const { info } = useSession();
  const { diagnostics } = info;
  const rows: [string, ReactNode][] = [
    [t.me.version, info.version.proxy_version], [t.me.schema, info.version.database_version], [t.me.plugins, Object.keys(info.plugins).sort().join(', ')],
    ...(diagnostics ? [[t.me.backend, diagnostics.databaseBackend], [t.me.deployment, diagnostics.deploymentType]] as [string, ReactNode][] : []),
  ];
  return <Card className="st-section"><CardTitle component="h2">{t.me.about}</CardTitle><CardBody><Pairs label={t.me.about} rows={rows} /></CardBody></Card>;
}
