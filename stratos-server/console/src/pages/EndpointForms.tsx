import { useState } from 'react';
import { Alert, Button, Checkbox, Form, FormGroup, FormSelect, FormSelectOption, Modal } from '@patternfly/react-core';
import { connect, connectBySso, register, update, type Registration } from '../api/endpoints';
import { kindOf, kinds } from '../api/kinds';
import type { Endpoint } from '../api/types';
import { useSession } from '../session';
import { t } from '../strings';
import { Field, messageOf } from '../ui/parts';

interface Props { onDone: (text: string) => void; onClose: () => void }

function FormModal({ title, button, error, busy, onSubmit, onClose, children }: {
  title: string; button: string; error: string; busy: boolean; onSubmit: () => void; onClose: () => void; children: React.ReactNode;
}) {
  return (
    <Modal variant="medium" isOpen title={title} onClose={onClose} actions={[
      <Button key="do" type="submit" form="endpoint-form" isLoading={busy} isDisabled={busy}>{button}</Button>,
      <Button key="no" variant="link" onClick={onClose}>{t.cancel}</Button>,
    ]}>
      <Form id="endpoint-form" noValidate onSubmit={(event) => { event.preventDefault(); onSubmit(); }}>
        <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
        {children}
      </Form>
    </Modal>
  );
}

/** Runs one attempt at a time and keeps what was refused. */
function useAttempt() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const attempt = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError('');
    try {
      await work();
      return true;
    } catch (refusal) {
      setError(messageOf(refusal));
      setBusy(false);
      return false;
    }
  };
  return { busy, error, setError, attempt };
}

export function EndpointForm({ endpoint, onDone, onClose }: Props & { endpoint?: Endpoint }) {
  const [kindId, setKindId] = useState('cf');
  const kind = endpoint ? kindOf(endpoint.cnsi_type, endpoint.sub_type) : kinds.find(({ id }) => id === kindId);
  const [values, setValues] = useState<Registration>({
    name: endpoint?.name ?? '', address: '', caCert: '', skipSsl: endpoint?.skip_ssl_validation ?? false, sso: endpoint?.sso_allowed ?? false,
    clientId: endpoint?.client_id ?? '', clientSecret: '',
  });
  const [changeClient, setChangeClient] = useState(false);
  const { busy, error, setError, attempt } = useAttempt();
  const set = <K extends keyof Registration>(key: K) => (value: Registration[K]) => setValues((old) => ({ ...old, [key]: value }));
  const submit = async () => {
    if (!values.name || (!endpoint && !values.address) || !kind) {
      setError(t.endpointForm.required);
      return;
    }
    const done = await attempt(() => (endpoint ? update(endpoint.guid, { ...values, changeClient }) : register(kind, values)));
    if (done) onDone(endpoint ? t.endpoints.changed(values.name) : t.endpoints.registered(values.name));
  };
  return (
    <FormModal title={endpoint ? t.endpointForm.editTitle(endpoint.name) : t.endpointForm.registerTitle} button={endpoint ? t.save : t.endpoints.register}
      busy={busy} error={error} onSubmit={() => void submit()} onClose={onClose}>
      {!endpoint && (
        <FormGroup label={t.endpointForm.kind} fieldId="kind">
          <FormSelect id="kind" value={kindId} onChange={(_, value) => setKindId(value)}>
            {kinds.map(({ id }) => <FormSelectOption key={id} value={id} label={t.kinds[id] ?? id} />)}
          </FormSelect>
        </FormGroup>
      )}
      <Field id="endpoint-name" label={t.endpointForm.name} value={values.name} onChange={set('name')} />
      {!endpoint && <Field id="endpoint-address" label={t.endpointForm.address} type="url" value={values.address} onChange={set('address')} help={kind?.address} />}
      <Field id="endpoint-ca" label={t.endpointForm.caCert} area required={false} value={values.caCert} onChange={set('caCert')}
        help={endpoint?.ca_cert ? t.endpointForm.caKept : t.endpointForm.caHint} />
      <Checkbox id="endpoint-skip" label={t.endpointForm.skipSsl} isChecked={values.skipSsl} onChange={(_, on) => set('skipSsl')(on)} />
      {kind?.oauthClient && <Checkbox id="endpoint-sso" label={t.endpointForm.sso} isChecked={values.sso} onChange={(_, on) => set('sso')(on)} />}
      {kind?.oauthClient && endpoint && (
        <Checkbox id="endpoint-client" label={t.endpointForm.changeClient} isChecked={changeClient} onChange={(_, on) => setChangeClient(on)} />
      )}
      {kind?.oauthClient && (!endpoint || changeClient) && (
        <>
          <Field id="client-id" label={t.endpointForm.clientId} required={false} value={values.clientId} onChange={set('clientId')} />
          <Field id="client-secret" label={t.endpointForm.clientSecret} type="password" required={false} value={values.clientSecret}
            onChange={set('clientSecret')} autoComplete="off" />
        </>
      )}
    </FormModal>
  );
}

export function ConnectForm({ endpoint, onDone, onClose }: Props & { endpoint: Endpoint }) {
  const { info } = useSession();
  const ways = (kindOf(endpoint.cnsi_type, endpoint.sub_type)?.ways ?? []).filter(({ way }) => way !== 'sso' || endpoint.sso_allowed);
  const [wayName, setWayName] = useState(ways[0]?.way ?? '');
  const [values, setValues] = useState<Record<string, string>>({});
  const [share, setShare] = useState(false);
  const { busy, error, setError, attempt } = useAttempt();
  const way = ways.find((candidate) => candidate.way === wayName);
  const isSso = wayName === 'sso';
  const submit = async () => {
    if (!way) return;
    if (isSso) {
      connectBySso(endpoint.guid);
      return;
    }
    if (way.fields.some((field) => !values[field])) {
      setError(t.endpointForm.required);
      return;
    }
    if (await attempt(() => connect(endpoint.guid, way, values, share))) onDone(t.endpoints.connected(endpoint.name));
  };
  return (
    <FormModal title={t.endpointForm.connectTitle(endpoint.name)} button={isSso ? t.endpointForm.connectSso : t.endpoints.connect} busy={busy} error={error}
      onSubmit={() => void submit()} onClose={onClose}>
      {ways.length > 1 && (
        <FormGroup label={t.endpointForm.way} fieldId="way">
          <FormSelect id="way" value={wayName} onChange={(_, value) => { setWayName(value); setValues({}); setError(''); }}>
            {ways.map((candidate) => <FormSelectOption key={candidate.way} value={candidate.way} label={t.ways[candidate.way] ?? candidate.way} />)}
          </FormSelect>
        </FormGroup>
      )}
      {isSso && <p>{t.endpointForm.ssoHint}</p>}
      {way?.fields.map((field) => (
        <Field key={field} id={`connect-${field}`} label={t.fields[field] ?? field} value={values[field] ?? ''} autoComplete="off"
          area={field === 'file' || field === 'cert' || field === 'certKey'}
          type={/password|passcode|token|secret/.test(field) ? 'password' : 'text'}
          onChange={(value) => setValues((old) => ({ ...old, [field]: value }))} />
      ))}
      {info.user.admin && endpoint.creator.system && !isSso && (
        <Checkbox id="connect-share" label={t.endpointForm.share} isChecked={share} onChange={(_, on) => setShare(on)} />
      )}
    </FormModal>
  );
}
