import { useState, type ReactNode } from 'react';
import { Breadcrumb, BreadcrumbItem, Button, Card, CardBody, CardTitle, Label, SearchInput, Title } from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { listOf, callEndpoint } from '../api/client';
import { addressOf } from '../api/endpoints';
import type { App, Endpoint, Named, Organization, Page, Role, ServiceInstance } from '../api/types';
import { Link, useLocation } from '../router';
import { useSession } from '../session';
import { t } from '../strings';
import { Empty, ErrorPanel, Loading, Row, Table, TabLinks } from '../ui/parts';
import { ApplicationPage } from './Application';
import { AddRole, DeletePlace, NamePlace, RemoveRole, roleText, type HeldRole, type Place } from './CfChanges';

const kPageSize = '20';
const when = (text?: string) => (text ? new Date(text).toLocaleString() : '');

/** /cf, /cf/ENDPOINT[/users], /cf/ENDPOINT/org/GUID, .../space/GUID[/services], .../app/GUID[/logs] */
export default function CloudFoundry() {
  const { endpoints } = useSession();
  const { path } = useLocation();
  const [, , guid, what, id, tab] = path.split('/');
  const foundations = endpoints.filter((endpoint) => endpoint.cnsi_type === 'cf' && endpoint.user);
  const endpoint = foundations.find((candidate) => candidate.guid === guid);
  if (!guid) return <Foundations foundations={foundations} />;
  if (!endpoint) return <Empty title={t.cf.noneTitle}><Link to="/endpoints">{t.cf.goEndpoints}</Link></Empty>;
  const at = `/cf/${endpoint.guid}`;
  if (what === 'users') return <Users endpoint={endpoint} />;
  if (what === 'org' && id) {
    return <Collection<Named> key={id} endpoint={endpoint} parent={{ collection: 'organizations', guid: id }} title={t.cf.spaces} collection="spaces"
      query={{ organization_guids: id }} changes="spaces" link={(space) => `${at}/space/${space.guid}`} />;
  }
  if (what === 'space' && id) {
    const here = `${at}/space/${id}`;
    const tabs = <TabLinks label={t.cf.partsOfSpace} current={tab === 'services' ? `${here}/services` : here} links={[[here, t.cf.applications], [`${here}/services`, t.cf.services]]} />;
    const parent = { collection: 'spaces', guid: id };
    if (tab === 'services') {
      return <Collection<ServiceInstance> key={`${id}/services`} endpoint={endpoint} parent={parent} title={t.cf.services} collection="service_instances" query={{ space_guids: id }}
        tabs={tabs} state={({ last_operation: last }) => (last ? `${last.type} ${last.state}` : '')} changes="service_instances" />;
    }
    return <Collection<App> key={id} endpoint={endpoint} parent={parent} title={t.cf.applications} collection="apps" query={{ space_guids: id }} tabs={tabs}
      link={(app) => `${at}/app/${app.guid}`} state={(app) => <AppState state={app.state} />} />;
  }
  if (what === 'app' && id) return <ApplicationPage key={id} endpoint={endpoint} guid={id} tab={tab} />;
  return <Collection<Organization> key={guid} endpoint={endpoint} title={t.cf.organizations} collection="organizations" query={{}} changes="organizations"
    link={(organization) => `${at}/org/${organization.guid}`}
    state={(organization) => <Label color={organization.suspended ? 'orange' : 'green'}>{organization.suspended ? t.cf.suspended : t.cf.active}</Label>}
    tools={<Link to={`${at}/users`}>{t.cf.users}</Link>} />;
}

export const AppState = ({ state }: { state: string }) => <Label color={state === 'STARTED' ? 'green' : 'grey'}>{state.toLowerCase()}</Label>;

function Foundations({ foundations }: { foundations: Endpoint[] }) {
  return (
    <>
      <div className="st-head"><Title headingLevel="h1">{t.cf.title}</Title></div>
      {foundations.length === 0
        ? <Empty title={t.cf.noneTitle}><p>{t.cf.none}</p><Link to="/endpoints">{t.cf.goEndpoints}</Link></Empty>
        : (
          <div className="st-cards">
            {foundations.map((endpoint) => (
              <Card key={endpoint.guid}>
                <CardTitle component="h2"><Link to={`/cf/${endpoint.guid}`}>{endpoint.name}</Link></CardTitle>
                <CardBody>{addressOf(endpoint)}</CardBody>
              </Card>
            ))}
          </div>
        )}
    </>
  );
}

interface Parent { collection: string; guid: string }
interface WithParents extends Named { relationships?: { space?: { data?: { guid: string } }; organization?: { data?: { guid: string } } } }

/** The way from the foundation down to here; the parents are asked for one after the other. */
export function Crumbs({ endpoint, space, organization, here }: { endpoint: Endpoint; space?: string; organization?: string; here?: string }) {
  const one = (collection: string, guid?: string) => ({
    queryKey: ['cf', endpoint.guid, collection, guid], enabled: Boolean(guid), queryFn: () => callEndpoint<WithParents>(endpoint.guid, `v3/${collection}/${guid ?? ''}`),
  });
  const spaceFound = useQuery(one('spaces', space)).data;
  const organizationId = organization ?? spaceFound?.relationships?.organization?.data?.guid;
  const organizationFound = useQuery(one('organizations', organizationId)).data;
  const at = `/cf/${endpoint.guid}`;
  return (
    <Breadcrumb className="st-crumbs">
      <BreadcrumbItem><Link to="/cf">{t.cf.title}</Link></BreadcrumbItem>
      <BreadcrumbItem><Link to={at}>{endpoint.name}</Link></BreadcrumbItem>
      {organizationId && <BreadcrumbItem><Link to={`${at}/org/${organizationId}`}>{organizationFound?.name ?? '…'}</Link></BreadcrumbItem>}
      {space && <BreadcrumbItem><Link to={`${at}/space/${space}`}>{spaceFound?.name ?? '…'}</Link></BreadcrumbItem>}
      {here && <BreadcrumbItem isActive>{here}</BreadcrumbItem>}
    </Breadcrumb>
  );
}

function Pager({ page, data, onPage }: { page: number; data: Page<unknown>; onPage: (page: number) => void }) {
  const { total_pages: pages, total_results: total } = data.pagination;
  return (
    <nav className="st-pager" aria-label={t.cf.page(page, Math.max(pages, 1), total)}>
      <span role="status">{t.cf.page(page, Math.max(pages, 1), total)}</span>
      <Button variant="secondary" size="sm" isDisabled={page <= 1} onClick={() => onPage(page - 1)}>{t.cf.previous}</Button>
      <Button variant="secondary" size="sm" isDisabled={page >= pages} onClick={() => onPage(page + 1)}>{t.cf.next}</Button>
    </nav>
  );
}

function Collection<T extends Named>({ endpoint, parent, title, collection, query, link, state, tools, tabs, changes }: {
  endpoint: Endpoint; parent?: Parent; title: string; collection: string; query: Record<string, string>; link?: (item: T) => string;
  state?: (item: T) => ReactNode; tools?: ReactNode; tabs?: ReactNode; changes?: Place | 'service_instances';
}) {
  const [asked, setAsked] = useState<{ what: 'name' | 'delete'; item?: T } | null>(null);
  const [page, setPage] = useState(1);
  const [typed, setTyped] = useState('');
  const [name, setName] = useState('');
  const sent = { ...query, page: String(page), per_page: kPageSize, order_by: 'name', ...(name && { names: name }) };
  const list = useQuery({
    queryKey: ['cf', endpoint.guid, 'list', collection, sent],
    queryFn: () => listOf<T>(endpoint.guid, collection, sent),
    placeholderData: keepPreviousData,
  });
  const isPlace = changes === 'organizations' || changes === 'spaces';
  const search = (value: string) => { setName(value.trim()); setPage(1); };
  const labels = [t.cf.name, ...(state ? [t.cf.state] : []), t.cf.created, ...(changes ? [t.actions] : [])];
  return (
    <>
      <Crumbs endpoint={endpoint} organization={parent?.collection === 'organizations' ? parent.guid : undefined}
        space={parent?.collection === 'spaces' ? parent.guid : undefined} />
      <div className="st-head">
        <Title headingLevel="h1">{title}</Title>
        <div className="st-rowtools st-centred">
          {tools}
          {isPlace && <Button onClick={() => setAsked({ what: 'name' })}>{changes === 'spaces' ? t.cf.createSpace : t.cf.createOrganization}</Button>}
        </div>
      </div>
      {tabs}
      <div className="st-tools">
        <SearchInput className="st-search" aria-label={t.cf.searchByName} placeholder={t.cf.searchByName} value={typed}
          onChange={(_, value) => setTyped(value)} onSearch={(_, value) => search(value)} onClear={() => { setTyped(''); search(''); }} />
      </div>
      {list.isLoading && <Loading />}
      {list.error && <ErrorPanel error={list.error} retry={() => void list.refetch()} />}
      {list.data && !list.error && (list.data.resources.length === 0
        ? <Empty title={t.cf.emptyList(title.toLowerCase())}>{name && t.cf.nothing}</Empty>
        : (
          <>
            <Table label={title} head={labels}>
              {list.data.resources.map((item) => (
                <Row key={item.guid} labels={labels} cells={[
                  link ? <Link to={link(item)} className="st-name">{item.name}</Link> : <span className="st-name">{item.name}</span>, ...(state ? [state(item)] : []), when(item.created_at),
                  ...(changes ? [
                    <div className="st-rowtools">
                      {isPlace && <Button size="sm" variant="secondary" onClick={() => setAsked({ what: 'name', item })}>{t.cf.rename}</Button>}
                      <Button size="sm" variant="danger" onClick={() => setAsked({ what: 'delete', item })}>{t.cf.remove}</Button>
                    </div>,
                  ] : []),
                ]} />
              ))}
            </Table>
            <Pager page={page} data={list.data} onPage={setPage} />
          </>
        ))}
      {isPlace && asked?.what === 'name' && (
        <NamePlace endpoint={endpoint} collection={changes} organization={parent?.guid} place={asked.item} onClose={() => setAsked(null)} />
      )}
      {changes && asked?.what === 'delete' && asked.item && (
        <DeletePlace endpoint={endpoint} collection={changes} place={asked.item} onClose={() => setAsked(null)} />
      )}
    </>
  );
}

function Users({ endpoint }: { endpoint: Endpoint }) {
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<HeldRole | null>(null);
  const [page, setPage] = useState(1);
  const list = useQuery({
    queryKey: ['cf', endpoint.guid, 'roles', page],
    queryFn: () => listOf<Role>(endpoint.guid, 'roles', { page: String(page), per_page: kPageSize, include: 'user,space,organization' }),
    placeholderData: keepPreviousData,
  });
  const included = list.data?.included;
  const users = new Map(included?.users?.map((user) => [user.guid, user.username ?? user.presentation_name ?? user.guid]));
  const places = new Map([...(included?.spaces ?? []), ...(included?.organizations ?? [])].map((place) => [place.guid, place.name]));
  const labels = [t.cf.user, t.cf.role, t.cf.in, t.actions];
  return (
    <>
      <Crumbs endpoint={endpoint} here={t.cf.users} />
      <div className="st-head"><Title headingLevel="h1">{t.cf.users}</Title><Button onClick={() => setAdding(true)}>{t.cf.addRole}</Button></div>
      {list.isLoading && <Loading />}
      {list.error && <ErrorPanel error={list.error} retry={() => void list.refetch()} />}
      {list.data && !list.error && (list.data.resources.length === 0 ? <Empty title={t.cf.emptyList(t.cf.role.toLowerCase())} /> : (
        <>
          <Table label={t.cf.users} head={labels}>
            {list.data.resources.map(({ guid, type, relationships: { user, space, organization } }) => {
              const placeId = space?.data?.guid ?? organization?.data?.guid ?? '';
              const personId = user?.data?.guid ?? '';
              const held = { guid, user: users.get(personId) ?? personId, role: roleText(type), place: places.get(placeId) ?? placeId };
              return <Row key={guid} labels={labels} cells={[
                held.user, held.role, held.place, <Button size="sm" variant="danger" onClick={() => setRemoved(held)}>{t.cf.removeRole}</Button>,
              ]} />;
            })}
          </Table>
          <Pager page={page} data={list.data} onPage={setPage} />
        </>
      ))}
      {adding && <AddRole endpoint={endpoint} onClose={() => setAdding(false)} />}
      {removed && <RemoveRole endpoint={endpoint} held={removed} onClose={() => setRemoved(null)} />}
    </>
  );
}
