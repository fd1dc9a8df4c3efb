import { useState } from 'react';
import { Alert, Button, Card, CardBody, CardTitle, Checkbox, Form, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { ApiError, call } from '../api/client';
import { t } from '../strings';
import { Field, messageOf } from '../ui/parts';

const kMinPassword = 8;
const kForbidden = 403;

/** Where users come from, decided once. The server takes it only from a browser that has opened the link in its log. */
export default function Setup({ onDone }: { onDone: () => void }) {
  const [source, setSource] = useState<'local' | 'uaa'>('local');
  const [values, setValues] = useState<Record<string, string>>({ client: 'stratos_console' });
  const [skipSsl, setSkipSsl] = useState(false);
  const [useSso, setUseSso] = useState(false);
  const [scopes, setScopes] = useState<string[]>([]);
  const [scope, setScope] = useState('');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const set = (name: string) => (value: string) => setValues((old) => ({ ...old, [name]: value }));
  const value = (name: string) => values[name] ?? '';
  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setError('');
    try {
      await work();
    } catch (refusal) {
      setError(refusal instanceof ApiError && refusal.status === kForbidden ? t.setup.proof : messageOf(refusal));
    }
    setBusy(false);
  };
  const uaaForm = () => ({
    uaa_endpoint: value('uaa'), console_client: value('client'), console_client_secret: value('secret'), username: value('user'), password: value('password'),
    skip_ssl_validation: String(skipSsl), use_sso: String(useSso), console_admin_scope: scope,
  });
  const submitLocal = () => attempt(async () => {
    if (value('admin').length < kMinPassword) throw new Error(t.setup.tooShort);
    if (value('admin') !== value('again')) throw new Error(t.setup.different);
    await call('/pp/v1/setup/save', { form: { local_admin_password: value('admin') }, ownRefusal: true });
    onDone();
  });
  const check = () => attempt(async () => {
    const found = await call<{ scope: string[] }>('/pp/v1/setup/check', { form: uaaForm(), ownRefusal: true });
    setScopes(found.scope);
    setScope(found.scope.find((name) => name === 'stratos.admin') ?? found.scope.find((name) => name === 'cloud_controller.admin') ?? found.scope[0] ?? '');
  });
  const save = () => attempt(async () => {
    await call('/pp/v1/setup/save', { form: uaaForm(), ownRefusal: true });
    onDone();
  });
  const submit = () => void (source === 'local' ? submitLocal() : scopes.length ? save() : check());

  return (
    <main className="st-front">
      <div className="st-front-brand" aria-hidden="true">{t.product}</div>
      <Card className="st-card-wide">
        <CardTitle component="h1">{t.setup.title}</CardTitle>
        <CardBody>
          <p className="st-gap">{t.setup.lead}</p>
          <div role="alert">{error && <Alert className="st-gap" variant="danger" isInline title={error} />}</div>
          <Form noValidate onSubmit={(event) => { event.preventDefault(); submit(); }}>
            {scopes.length > 0
              ? (
                <FormGroup label={t.setup.scope} fieldId="scope">
                  <FormSelect id="scope" value={scope} onChange={(_, next) => setScope(next)}>
                    {scopes.map((name) => <FormSelectOption key={name} value={name} label={name} />)}
                  </FormSelect>
                </FormGroup>
              )
              : (
                <FormGroup label={t.setup.source} fieldId="source">
                  <FormSelect id="source" value={source} onChange={(_, next) => setSource(next as 'local' | 'uaa')}>
                    <FormSelectOption value="local" label={t.setup.local} />
                    <FormSelectOption value="uaa" label={t.setup.uaa} />
                  </FormSelect>
                </FormGroup>
              )}
            {source === 'local' && (
              <>
                <Field id="admin" label={t.setup.adminPassword} type="password" value={value('admin')} onChange={set('admin')} help={t.setup.localHint} autoComplete="new-password" />
                <Field id="again" label={t.setup.repeat} type="password" value={value('again')} onChange={set('again')} autoComplete="new-password" />
              </>
            )}
            {source === 'uaa' && scopes.length === 0 && (
              <>
                <Field id="uaa" label={t.setup.uaaUrl} type="url" value={value('uaa')} onChange={set('uaa')} />
                <Checkbox id="skip" label={t.setup.skipSsl} isChecked={skipSsl} onChange={(_, on) => setSkipSsl(on)} />
                <Field id="client" label={t.setup.client} value={value('client')} onChange={set('client')} />
                <Field id="secret" label={t.setup.clientSecret} type="password" required={false} value={value('secret')} onChange={set('secret')} autoComplete="off" />
                <Field id="user" label={t.setup.userName} value={value('user')} onChange={set('user')} />
                <Field id="password" label={t.setup.password} type="password" value={value('password')} onChange={set('password')} autoComplete="off" />
                <Checkbox id="sso" label={t.setup.useSso} isChecked={useSso} onChange={(_, on) => setUseSso(on)} />
              </>
            )}
            <div className="st-tools">
              <Button type="submit" isLoading={busy} isDisabled={busy}>{source === 'uaa' && scopes.length === 0 ? t.setup.check : t.setup.finish}</Button>
              {scopes.length > 0 && <Button variant="link" onClick={() => setScopes([])}>{t.setup.back}</Button>}
            </div>
          </Form>
        </CardBody>
      </Card>
    </main>
  );
}
