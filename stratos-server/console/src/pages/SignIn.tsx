import { useEffect, useState, type FormEvent } from 'react';
import { ActionGroup, Alert, Button, Card, CardBody, CardTitle, Form } from '@patternfly/react-core';
import { signIn } from '../api/client';
import { useLocation } from '../router';
import { hasBeenIn, takeEndedByServer } from '../session';
import { t } from '../strings';
import { Field, messageOf } from '../ui/parts';

const toProvider = () => window.location.assign(`/pp/v1/auth/sso_login?state=${encodeURIComponent(window.location.origin + '/')}`);

/** `sso`: what the server says about single sign-on; null when there is none. */
export function SignIn({ sso, onSignedIn }: { sso: string | null; onSignedIn: () => void }) {
  const { query } = useLocation();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(query.get('SSO_Message') ?? '');

  // SSO_OPTIONS=nosplash. Not when there is something to read, and not for somebody who was just signed
  // out: the provider would sign them in again.
  const atOnce = Boolean(sso?.includes('nosplash')) && !query.get('SSO_Message') && !hasBeenIn();
  useEffect(() => {
    if (atOnce) toProvider();
  }, [atOnce]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!name || !password) {
      setError(t.signIn.missing);
      return;
    }
    setBusy(true);
    setError('');
    try {
      await signIn(name, password);
      onSignedIn();
    } catch (refusal) {
      setError(messageOf(refusal));
      setPassword('');
    }
    setBusy(false);
  };

  return (
    <main className="st-front">
      <div className="st-front-brand" aria-hidden="true">{t.product}</div>
      <Card className="st-card">
        <CardTitle component="h1">{t.signIn.title}</CardTitle>
        <CardBody>
          <p className="st-gap">{t.signIn.lead}</p>
          {takeEndedByServer() && !error && <Alert className="st-gap" variant="info" isInline title={t.signIn.ended} />}
          <div role="alert">{error && <Alert className="st-gap" variant="danger" isInline title={error} />}</div>
          {sso !== null
            ? <Button isBlock onClick={toProvider}>{t.signIn.sso}</Button>
            : (
              <Form onSubmit={(event) => void submit(event)} noValidate>
                <Field id="user-name" label={t.signIn.userName} value={name} onChange={setName} autoComplete="username" />
                <Field id="password" label={t.signIn.password} value={password} onChange={setPassword} type="password" autoComplete="current-password" />
                <ActionGroup><Button type="submit" isBlock isLoading={busy} isDisabled={busy}>{t.signIn.button}</Button></ActionGroup>
              </Form>
            )}
        </CardBody>
      </Card>
    </main>
  );
}
