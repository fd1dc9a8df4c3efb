// Routes and services of an application.
import { useState } from 'react';
import { Button, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { callEndpoint, listOf, runJob } from '../api/client';
import type { App, Endpoint, Named, Page, Route, ServiceBinding, ServiceInstance } from '../api/types';
import { t } from '../strings';
import { Part } from '../ui/Part';
import { Confirm, ErrorPanel, Field, FormDialog, Row, Table } from '../ui/parts';
import { useChanged } from './CfChanges';

/** What fits into a list to choose from. */
const kChoices = '200';
interface OfApp { endpoint: Endpoint; app: App }

export function RoutesPart({ endpoint, app }: OfApp) {
  const changed = useChanged(endpoint);
  const [asked, setAsked] = useState<{ what: 'map' } | { what: 'unmap' | 'delete'; route: Route } | null>(null);
  const routes = useQuery({
    queryKey: ['cf', endpoint.guid, 'app', app.guid, 'routes'],
    queryFn: () => listOf<Route>(endpoint.guid, 'routes', { app_guids: app.guid, per_page: kChoices }).then(({ resources }) => resources),
  });
  const close = () => setAsked(null);
  const unmap = async (route: Route) => {
    const { destinations } = await callEndpoint<{ destinations: { guid: string; app: { guid: string } }[] }>(endpoint.guid, `v3/routes/${route.guid}/destinations`);
    for (const destination of destinations.filter((each) => each.app.guid === app.guid)) {
      await callEndpoint(endpoint.guid, `v3/routes/${route.guid}/destinations/${destination.guid}`, { method: 'DELETE' });
    }
    await changed(t.cf.unmapped(route.url, app.name));
  };
  const remove = async (route: Route, report: (state: string) => void) => {
    await runJob(endpoint.guid, `v3/routes/${route.guid}`, { method: 'DELETE' }, report);
    await changed(t.cf.removed(route.url));
  };
  const labels = [t.cf.url, t.actions];
  return (
    <>
      <Part title={t.cf.routes} query={routes} isEmpty={(list) => list.length === 0} tools={<Button variant="secondary" onClick={() => setAsked({ what: 'map' })}>{t.cf.mapRoute}</Button>}>
        {(list) => (
          <Table label={t.cf.routes} head={labels}>
            {list.map((route) => <Row key={route.guid} labels={labels} cells={[
              route.url,
              <div className="st-rowtools">
                <Button size="sm" variant="danger" onClick={() => setAsked({ what: 'unmap', route })}>{t.cf.unmap}</Button>
                <Button size="sm" variant="danger" onClick={() => setAsked({ what: 'delete', route })}>{t.cf.remove}</Button>
              </div>,
            ]} />)}
          </Table>
        )}
      </Part>
      {asked?.what === 'map' && <MapRoute endpoint={endpoint} app={app} onClose={close} />}
      {asked?.what === 'unmap' && (
        <Confirm title={t.cf.unmapTitle(asked.route.url)} text={t.cf.unmapText(asked.route.url, app.name)} action={t.cf.unmap} onConfirm={() => unmap(asked.route)} onClose={close} />
      )}
      {asked?.what === 'delete' && (
        <Confirm title={t.cf.removeTitle(asked.route.url)} text={t.cf.removeRoute(asked.route.url)} action={t.cf.remove} onConfirm={(report) => remove(asked.route, report)} onClose={close} />
      )}
    </>
  );
}

function MapRoute({ endpoint, app, onClose }: OfApp & { onClose: () => void }) {
  const changed = useChanged(endpoint);
  const [host, setHost] = useState(app.name);
  const [domain, setDomain] = useState('');
  const domains = useQuery({
    queryKey: ['cf', endpoint.guid, 'domains'], queryFn: () => listOf<Named>(endpoint.guid, 'domains', { per_page: kChoices, order_by: 'name' }).then(({ resources }) => resources),
  });
  const chosen = domains.data?.find(({ guid }) => guid === domain) ?? domains.data?.[0];
  const submit = async () => {
    if (!chosen) return;
    const space = app.relationships?.space?.data?.guid ?? '';
    const name = host.trim();
    const { resources: [there] } = await listOf<Route>(endpoint.guid, 'routes', { hosts: name, domain_guids: chosen.guid, space_guids: space });
    const route = there ?? await callEndpoint<Route>(endpoint.guid, 'v3/routes', {
      json: { host: name, relationships: { space: { data: { guid: space } }, domain: { data: { guid: chosen.guid } } } },
    });
    await callEndpoint(endpoint.guid, `v3/routes/${route.guid}/destinations`, { json: { destinations: [{ app: { guid: app.guid } }] } });
    await changed(t.cf.mapped(route.url, app.name));
  };
  return (
    <FormDialog title={t.cf.mapTitle(app.name)} action={t.cf.mapRoute} isReady={Boolean(chosen)} onSubmit={submit} onClose={onClose}>
      {domains.error && <ErrorPanel error={domains.error} />}
      <Field id="route-host" label={t.cf.host} value={host} onChange={setHost} required={false} />
      <FormGroup label={t.cf.domain} fieldId="route-domain">
        <FormSelect id="route-domain" value={chosen?.guid ?? ''} onChange={(_, value) => setDomain(value)}>
          {(domains.data ?? []).map(({ guid, name }) => <FormSelectOption key={guid} value={guid} label={name} />)}
        </FormSelect>
      </FormGroup>
    </FormDialog>
  );
}

export function ServicesPart({ endpoint, app }: OfApp) {
  const changed = useChanged(endpoint);
  const [binding, setBinding] = useState(false);
  const [unbound, setUnbound] = useState<{ guid: string; name: string } | null>(null);
  const bindings = useQuery({
    queryKey: ['cf', endpoint.guid, 'app', app.guid, 'bindings'],
    queryFn: () => listOf<ServiceBinding>(endpoint.guid, 'service_credential_bindings', { app_guids: app.guid, include: 'service_instance', per_page: kChoices }) as
      Promise<Page<ServiceBinding> & { included?: { service_instances?: Named[] } }>,
  });
  const unbind = async (guid: string, name: string, report: (state: string) => void) => {
    await runJob(endpoint.guid, `v3/service_credential_bindings/${guid}`, { method: 'DELETE' }, report);
    await changed(t.cf.unbound(name, app.name));
  };
  const labels = [t.cf.service, t.cf.state, t.actions];
  return (
    <>
      <Part title={t.cf.services} query={bindings} isEmpty={({ resources }) => resources.length === 0}
        tools={<Button variant="secondary" onClick={() => setBinding(true)}>{t.cf.bind}</Button>}>
        {({ resources, included }) => {
          const names = new Map(included?.service_instances?.map(({ guid, name }) => [guid, name]));
          return (
            <Table label={t.cf.services} head={labels}>
              {resources.map(({ guid, relationships, last_operation: last }) => {
                const service = relationships?.service_instance?.data?.guid ?? '';
                const name = names.get(service) ?? service;
                return <Row key={guid} labels={labels} cells={[
                  name, last ? `${last.type} ${last.state}` : '', <Button size="sm" variant="danger" onClick={() => setUnbound({ guid, name })}>{t.cf.unbind}</Button>,
                ]} />;
              })}
            </Table>
          );
        }}
      </Part>
      {binding && <BindService endpoint={endpoint} app={app} onClose={() => setBinding(false)} />}
      {unbound && (
        <Confirm title={t.cf.unbindTitle(unbound.name)} text={t.cf.unbindText(unbound.name, app.name)} action={t.cf.unbind}
          onConfirm={(report) => unbind(unbound.guid, unbound.name, report)} onClose={() => setUnbound(null)} />
      )}
    </>
  );
}

function BindService({ endpoint, app, onClose }: OfApp & { onClose: () => void }) {
  const changed = useChanged(endpoint);
  const [service, setService] = useState('');
  const space = app.relationships?.space?.data?.guid ?? '';
  const services = useQuery({
    queryKey: ['cf', endpoint.guid, 'services', space],
    queryFn: () => listOf<ServiceInstance>(endpoint.guid, 'service_instances', { space_guids: space, per_page: kChoices, order_by: 'name' }).then(({ resources }) => resources),
  });
  const chosen = services.data?.find(({ guid }) => guid === service) ?? services.data?.[0];
  const submit = async () => {
    if (!chosen) return;
    await runJob(endpoint.guid, 'v3/service_credential_bindings', {
      json: { type: 'app', relationships: { app: { data: { guid: app.guid } }, service_instance: { data: { guid: chosen.guid } } } },
    });
    await changed(t.cf.bound(chosen.name, app.name));
  };
  return (
    <FormDialog title={t.cf.bindTitle(app.name)} action={t.cf.bind} isReady={Boolean(chosen)} onSubmit={submit} onClose={onClose}>
      {services.error && <ErrorPanel error={services.error} />}
      {services.data?.length === 0 && <p>{t.cf.noServices}</p>}
      <FormGroup label={t.cf.service} fieldId="bound-service">
        <FormSelect id="bound-service" value={chosen?.guid ?? ''} onChange={(_, value) => setService(value)}>
          {(services.data ?? []).map(({ guid, name }) => <FormSelectOption key={guid} value={guid} label={name} />)}
        </FormSelect>
      </FormGroup>
    </FormDialog>
  );
}
