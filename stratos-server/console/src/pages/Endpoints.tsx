import { useEffect, useState } from 'react';
import { Button, FormSelect, FormSelectOption, Label, SearchInput, Text, TextContent, Title } from '@patternfly/react-core';
import StarIcon from '@patternfly/react-icons/dist/esm/icons/star-icon';
import OutlinedStarIcon from '@patternfly/react-icons/dist/esm/icons/outlined-star-icon';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ApiError } from '../api/client';
import { addFavourite, addressOf, canProbe, disconnect, listFavourites, probe, removeFavourite, unregister } from '../api/endpoints';
import { kindOf } from '../api/kinds';
import type { Endpoint } from '../api/types';
import { Link, navigate, useLocation } from '../router';
import { useRefreshInfo, useSession } from '../session';
import { t } from '../strings';
import { Confirm, Empty, messageOf, Row, Table, useToast } from '../ui/parts';
import { ConnectForm, EndpointForm } from './EndpointForms';

type Dialog = { kind: 'register' } | { kind: 'edit' | 'connect' | 'disconnect' | 'unregister'; endpoint: Endpoint };
type SortKey = 'name' | 'type' | 'address';

const kindName = (endpoint: Endpoint) => {
  const kind = kindOf(endpoint.cnsi_type, endpoint.sub_type);
  return t.kinds[kind?.id ?? ''] ?? endpoint.cnsi_type;
};
const sortValue: Record<SortKey, (endpoint: Endpoint) => string> = { name: (e) => e.name, type: kindName, address: addressOf };

function reasonOf(error: unknown): string {
  if (!(error instanceof ApiError)) return messageOf(error);
  if (error.status === 401) return t.endpoints.tokenLost;
  if (error.status === 502 || error.status === 504) return t.endpoints.unreachable;
  return error.message || t.endpoints.answered(error.status);
}

function Connection({ endpoint }: { endpoint: Endpoint }) {
  const check = useQuery({ queryKey: ['probe', endpoint.guid, endpoint.user?.name], queryFn: () => probe(endpoint), enabled: canProbe(endpoint), retry: false, staleTime: 60_000 });
  const ways = kindOf(endpoint.cnsi_type, endpoint.sub_type)?.ways ?? [];
  if (!endpoint.user) return <Label color="grey">{ways.length ? t.endpoints.notConnected : t.endpoints.noCredentials}</Label>;
  return (
    <>
      {check.error
        ? <><Label color="red">{t.endpoints.problem}</Label><div className="st-sub">{reasonOf(check.error)}</div></>
        : <Label color={check.isLoading ? 'grey' : 'green'}>{check.isLoading ? t.endpoints.checking : t.endpoints.connectedAs(endpoint.user.name)}</Label>}
      {endpoint.system_shared_token && <div className="st-sub">{t.endpoints.shared}</div>}
    </>
  );
}

function Star({ endpoint }: { endpoint: Endpoint }) {
  const queries = useQueryClient();
  const toast = useToast();
  const favourites = useQuery({ queryKey: ['favourites'], queryFn: listFavourites });
  const mine = favourites.data?.find((favourite) => favourite.endpointId === endpoint.guid && favourite.entityType === 'endpoint');
  const toggle = useMutation({
    mutationFn: () => (mine ? removeFavourite(mine.guid) : addFavourite(endpoint)),
    onSettled: () => queries.invalidateQueries({ queryKey: ['favourites'] }),
    onError: (error) => toast(messageOf(error), 'danger'),
  });
  return (
    <Button variant="plain" aria-label={mine ? t.endpoints.unfavourite(endpoint.name) : t.endpoints.favourite(endpoint.name)} aria-pressed={Boolean(mine)}
      isDisabled={!favourites.data || toggle.isPending} onClick={() => toggle.mutate()}>
      {mine ? <StarIcon /> : <OutlinedStarIcon />}
    </Button>
  );
}

export default function Endpoints() {
  const { info, endpoints } = useSession();
  const { query } = useLocation();
  const refresh = useRefreshInfo();
  const toast = useToast();
  const queries = useQueryClient();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const [search, setSearch] = useState('');
  const [type, setType] = useState('');
  const [sort, setSort] = useState<{ key: SortKey; down: boolean }>({ key: 'name', down: false });
  const mayRegister = info.user.admin || info.config.userEndpointsEnabled === 'enabled';

  useEffect(() => {
    const status = query.get('status');
    if (!status) return;
    toast(status === 'ok' ? t.endpoints.ssoDone : t.endpoints.ssoFailed, status === 'ok' ? 'success' : 'danger');
    navigate('/endpoints', true);
  }, [query, toast]);

  const needle = search.trim().toLowerCase();
  const shown = endpoints
    .filter((endpoint) => !type || endpoint.cnsi_type === type)
    .filter((endpoint) => !needle || endpoint.name.toLowerCase().includes(needle) || addressOf(endpoint).toLowerCase().includes(needle))
    .sort((a, b) => sortValue[sort.key](a).localeCompare(sortValue[sort.key](b)) * (sort.down ? -1 : 1));
  const types = [...new Set(endpoints.map((endpoint) => endpoint.cnsi_type))].sort();

  const close = () => setDialog(null);
  const finish = (text: string) => {
    close();
    toast(text);
    void refresh();
    void queries.invalidateQueries({ queryKey: ['probe'] });
  };
  const mayChange = (endpoint: Endpoint) => info.user.admin || !endpoint.creator.system;
  const heading = (key: SortKey, text: string) => (
    <button type="button" className="st-sort" aria-label={`${t.endpoints.sortedBy}: ${text}`}
      onClick={() => setSort({ key, down: sort.key === key && !sort.down })}>
      {text}{sort.key === key && <span aria-hidden="true">{sort.down ? ' ▾' : ' ▴'}</span>}
    </button>
  );
  const labels = [t.endpoints.name, t.endpoints.type, t.endpoints.address, t.endpoints.connection, t.actions];

  return (
    <>
      <div className="st-head">
        <TextContent><Title headingLevel="h1">{t.endpoints.title}</Title><Text>{t.endpoints.lead}</Text></TextContent>
        {mayRegister && <Button onClick={() => setDialog({ kind: 'register' })}>{t.endpoints.register}</Button>}
      </div>
      {endpoints.length === 0
        ? <Empty title={t.endpoints.empty}>{mayRegister ? t.endpoints.emptyAdmin : t.endpoints.emptyUser}</Empty>
        : (
          <>
            <div className="st-tools">
              <SearchInput className="st-search" aria-label={t.endpoints.searchLabel} placeholder={t.endpoints.searchLabel} value={search}
                onChange={(_, value) => setSearch(value)} onClear={() => setSearch('')} />
              <FormSelect className="st-select" aria-label={t.endpoints.typeFilter} value={type} onChange={(_, value) => setType(value)}>
                <FormSelectOption value="" label={t.endpoints.allTypes} />
                {types.map((name) => <FormSelectOption key={name} value={name} label={t.kinds[name] ?? name} />)}
              </FormSelect>
              <span className="st-count" role="status">{t.endpoints.count(shown.length, endpoints.length)}</span>
            </div>
            {shown.length === 0
              ? <Empty title={t.endpoints.nothingFound}><Button variant="link" onClick={() => { setSearch(''); setType(''); }}>{t.endpoints.clearFilters}</Button></Empty>
              : (
                <Table label={t.endpoints.title} head={[heading('name', labels[0] ?? ''), heading('type', labels[1] ?? ''), heading('address', labels[2] ?? ''), labels[3], labels[4]]}>
                  {shown.map((endpoint) => {
                    const canConnect = (kindOf(endpoint.cnsi_type, endpoint.sub_type)?.ways.length ?? 0) > 0;
                    const open = (kind: 'edit' | 'connect' | 'disconnect' | 'unregister') => () => setDialog({ kind, endpoint });
                    return (
                      <Row key={endpoint.guid} labels={labels} cells={[
                        <div className="st-starred"><Star endpoint={endpoint} />{endpoint.user && endpoint.cnsi_type === 'cf'
                          ? <Link to={`/cf/${endpoint.guid}`} className="st-name" label={t.endpoints.open(endpoint.name)}>{endpoint.name}</Link>
                          : <span className="st-name">{endpoint.name}</span>}</div>,
                        kindName(endpoint),
                        <>{addressOf(endpoint)}{endpoint.skip_ssl_validation && <div className="st-sub">{t.endpoints.unverified}</div>}</>,
                        <Connection endpoint={endpoint} />,
                        <div className="st-rowtools" role="group" aria-label={t.endpoints.actionsFor(endpoint.name)}>
                          {canConnect && <Button size="sm" variant={endpoint.user ? 'secondary' : 'primary'} onClick={open('connect')}>{endpoint.user ? t.endpoints.reconnect : t.endpoints.connect}</Button>}
                          {endpoint.user && <Button size="sm" variant="secondary" onClick={open('disconnect')}>{t.endpoints.disconnect}</Button>}
                          {mayChange(endpoint) && <Button size="sm" variant="secondary" onClick={open('edit')}>{t.endpoints.edit}</Button>}
                          {mayChange(endpoint) && <Button size="sm" variant="link" isDanger onClick={open('unregister')}>{t.endpoints.unregister}</Button>}
                        </div>,
                      ]} />
                    );
                  })}
                </Table>
              )}
          </>
        )}
      {dialog?.kind === 'register' && <EndpointForm onDone={finish} onClose={close} />}
      {dialog?.kind === 'edit' && <EndpointForm endpoint={dialog.endpoint} onDone={finish} onClose={close} />}
      {dialog?.kind === 'connect' && <ConnectForm endpoint={dialog.endpoint} onDone={finish} onClose={close} />}
      {dialog?.kind === 'disconnect' && (
        <Confirm title={t.endpoints.disconnectTitle(dialog.endpoint.name)} text={t.endpoints.disconnectText(dialog.endpoint.name)} action={t.endpoints.disconnect}
          onClose={close} onConfirm={async () => { await disconnect(dialog.endpoint.guid); finish(t.endpoints.disconnected(dialog.endpoint.name)); }} />
      )}
      {dialog?.kind === 'unregister' && (
        <Confirm title={t.endpoints.unregisterTitle(dialog.endpoint.name)} text={t.endpoints.unregisterText(dialog.endpoint.name)} action={t.endpoints.unregister}
          onClose={close} onConfirm={async () => { await unregister(dialog.endpoint.guid); finish(t.endpoints.unregistered(dialog.endpoint.name)); }} />
      )}
    </>
  );
}
