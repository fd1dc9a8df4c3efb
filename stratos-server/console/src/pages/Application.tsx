import { lazy, Suspense, useState } from 'react';
import { Alert, Button, Form, Modal, Title } from '@patternfly/react-core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { callEndpoint, listOf } from '../api/client';
import type { App, AuditEvent, Endpoint, InstanceStats, Process } from '../api/types';
import { t } from '../strings';
import { Part } from '../ui/Part';
import { Confirm, Empty, ErrorPanel, Field, Loading, messageOf, Row, Table, TabLinks, useToast } from '../ui/parts';
import { RoutesPart, ServicesPart } from './AppParts';
import { AppState, Crumbs } from './CloudFoundry';

const Logs = lazy(() => import('./Logs'));

const kMegabyte = 1024 * 1024;
const kRefreshMs = 10_000;
/** Instances that are on their way are looked at more often. */
const kSettlingMs = 2000;
const kSettled = ['RUNNING', 'CRASHED', 'DOWN'];
const megabytes = (bytes?: number) => (bytes === undefined ? '–' : `${Math.round(bytes / kMegabyte)} MB`);
const duration = (seconds?: number) => (seconds === undefined ? '–' : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`);

export function ApplicationPage({ endpoint, guid, tab }: { endpoint: Endpoint; guid: string; tab?: string }) {
  const queries = useQueryClient();
  const toast = useToast();
  const [asked, setAsked] = useState<'stop' | 'restart' | null>(null);
  const [scaled, setScaled] = useState<Process | null>(null);
  const key = (part: string) => ['cf', endpoint.guid, 'app', guid, part];
  const get = <T,>(path: string) => () => callEndpoint<T>(endpoint.guid, `v3/apps/${guid}${path}`);
  const app = useQuery({ queryKey: key(''), queryFn: get<App>(''), refetchInterval: kRefreshMs });
  const showsLogs = tab === 'logs';
  const known = Boolean(app.data) && !showsLogs;
  const processes = useQuery({ queryKey: key('processes'), enabled: known, queryFn: () => get<{ resources: Process[] }>('/processes')().then(({ resources }) => resources) });
  const environment = useQuery({ queryKey: key('env'), enabled: known, queryFn: get<{ var?: Record<string, string> }>('/environment_variables') });
  const events = useQuery({
    queryKey: key('events'), enabled: known,
    queryFn: () => listOf<AuditEvent>(endpoint.guid, 'audit_events', { target_guids: guid, order_by: '-created_at', per_page: '20' }).then(({ resources }) => resources),
  });

  if (app.isLoading) return <Loading />;
  if (app.error || !app.data) return app.error ? <ErrorPanel error={app.error} retry={() => void app.refetch()} /> : <Empty title={t.notFound} />;
  const { name, state, relationships } = app.data;
  const act = async (action: 'start' | 'stop' | 'restart') => {
    await callEndpoint(endpoint.guid, `v3/apps/${guid}/actions/${action}`, { method: 'POST' });
    toast(t.cf.done(name, t.cf[action]));
    await queries.invalidateQueries({ queryKey: ['cf', endpoint.guid] });
  };
  const start = () => void act('start').catch((error: unknown) => toast(messageOf(error), 'danger'));
  const at = `/cf/${endpoint.guid}/app/${guid}`;
  const eventLabels = [t.cf.event, t.cf.actor, t.cf.when];
  return (
    <>
      <Crumbs endpoint={endpoint} space={relationships?.space?.data?.guid} here={name} />
      <div className="st-head">
        <Title headingLevel="h1">{name} <AppState state={state} /></Title>
        <div className="st-rowtools">
          {state === 'STARTED'
            ? (
              <>
                <Button variant="secondary" onClick={() => setAsked('restart')}>{t.cf.restart}</Button>
                <Button variant="danger" onClick={() => setAsked('stop')}>{t.cf.stop}</Button>
              </>
            )
            : <Button onClick={start}>{t.cf.start}</Button>}
        </div>
      </div>
      <TabLinks label={t.cf.parts} current={showsLogs ? `${at}/logs` : at} links={[[at, t.cf.overview], [`${at}/logs`, t.cf.logs]]} />
      {showsLogs ? <Suspense fallback={<Loading />}><Logs key={guid} endpoint={endpoint} guid={guid} name={name} /></Suspense> : (
        <>
          <Part title={t.cf.processes} query={processes} isEmpty={(list) => list.length === 0}>
            {(list) => list.map((process) => <ProcessView key={process.guid} endpoint={endpoint} process={process} onScale={() => setScaled(process)} />)}
          </Part>
          <RoutesPart endpoint={endpoint} app={app.data} />
          <ServicesPart endpoint={endpoint} app={app.data} />
          <Part title={t.cf.environment} query={environment} isEmpty={({ var: all }) => Object.keys(all ?? {}).length === 0}>
            {({ var: all }) => <Environment values={all ?? {}} />}
          </Part>
          <Part title={t.cf.events} query={events} isEmpty={(list) => list.length === 0}>
            {(list) => (
              <Table label={t.cf.events} head={eventLabels}>
                {list.map((event) => <Row key={event.guid} labels={eventLabels} cells={[event.type, event.actor?.name ?? '', new Date(event.created_at).toLocaleString()]} />)}
              </Table>
            )}
          </Part>
        </>
      )}
      {asked && (
        <Confirm title={asked === 'stop' ? t.cf.stopTitle(name) : t.cf.restartTitle(name)} text={asked === 'stop' ? t.cf.stopText(name) : t.cf.restartText(name)}
          action={t.cf[asked]} onConfirm={() => act(asked)} onClose={() => setAsked(null)} />
      )}
      {scaled && <Scale endpoint={endpoint} appName={name} process={scaled} onClose={() => setScaled(null)} onDone={() => void queries.invalidateQueries({ queryKey: ['cf', endpoint.guid] })} />}
    </>
  );
}

/** Values are secrets more often than not, so they are shown when asked for. */
function Environment({ values }: { values: Record<string, string> }) {
  const [shown, setShown] = useState(false);
  const labels = [t.cf.variable, t.cf.value];
  return (
    <>
      <Button variant="link" isInline onClick={() => setShown(!shown)}>{shown ? t.cf.hideValues : t.cf.showValues}</Button>
      <Table label={t.cf.environment} head={labels}>
        {Object.entries(values).map(([name, value]) => <Row key={name} labels={labels} cells={[name, shown ? value : '••••••']} />)}
      </Table>
    </>
  );
}

function ProcessView({ endpoint, process, onScale }: { endpoint: Endpoint; process: Process; onScale: () => void }) {
  const stats = useQuery({
    queryKey: ['cf', endpoint.guid, 'stats', process.guid],
    refetchInterval: ({ state: { data } }) => (data?.every(({ state }) => kSettled.includes(state)) ?? true ? kRefreshMs : kSettlingMs),
    queryFn: () => callEndpoint<{ resources: InstanceStats[] }>(endpoint.guid, `v3/processes/${process.guid}/stats`).then(({ resources }) => resources),
  });
  const labels = [t.cf.instance, t.cf.state, t.cf.cpu, t.cf.memory, t.cf.disk, t.cf.uptime];
  return (
    <section className="st-section" aria-label={process.type}>
      <div className="st-tools">
        <span className="st-name">{process.type}</span>
        <span className="st-sub">{t.cf.instances}: {process.instances}, {t.cf.memory}: {process.memory_in_mb} MB, {t.cf.disk}: {process.disk_in_mb} MB</span>
        <Button size="sm" variant="secondary" onClick={onScale}>{t.cf.scale}</Button>
      </div>
      {stats.isLoading && <Loading />}
      {stats.error && <ErrorPanel title={t.errors.partial} error={stats.error} retry={() => void stats.refetch()} />}
      {stats.data && !stats.error && stats.data.length > 0 && (
        <Table label={process.type} head={labels}>
          {stats.data.map(({ index, state, usage, mem_quota, disk_quota, uptime, details }) => (
            <Row key={index} labels={labels} cells={[
              index, details ? `${state} (${details})` : state, usage?.cpu === undefined ? '–' : `${(usage.cpu * 100).toFixed(1)} %`,
              `${megabytes(usage?.mem)} / ${megabytes(mem_quota)}`, `${megabytes(usage?.disk)} / ${megabytes(disk_quota)}`, duration(uptime),
            ]} />
          ))}
        </Table>
      )}
    </section>
  );
}

function Scale({ endpoint, appName, process, onClose, onDone }: { endpoint: Endpoint; appName: string; process: Process; onClose: () => void; onDone: () => void }) {
  const [instances, setInstances] = useState(String(process.instances));
  const [memory, setMemory] = useState(String(process.memory_in_mb));
  const [disk, setDisk] = useState(String(process.disk_in_mb));
  const [error, setError] = useState('');
  const submit = async () => {
    try {
      await callEndpoint(endpoint.guid, `v3/processes/${process.guid}/actions/scale`, {
        json: { instances: Number(instances), memory_in_mb: Number(memory), disk_in_mb: Number(disk) },
      });
      onDone();
      onClose();
    } catch (refusal) {
      setError(messageOf(refusal));
    }
  };
  return (
    <Modal isOpen variant="small" title={t.cf.scaleTitle(process.type, appName)} onClose={onClose} actions={[
      <Button key="do" type="submit" form="scale-form">{t.cf.scale}</Button>, <Button key="no" variant="link" onClick={onClose}>{t.cancel}</Button>,
    ]}>
      <Form id="scale-form" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
        <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
        <Field id="scale-instances" label={t.cf.instances} type="number" value={instances} onChange={setInstances} />
        <Field id="scale-memory" label={t.cf.memoryMb} type="number" value={memory} onChange={setMemory} />
        <Field id="scale-disk" label={t.cf.diskMb} type="number" value={disk} onChange={setDisk} />
      </Form>
    </Modal>
  );
}
