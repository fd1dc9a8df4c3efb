import { call, callEndpoint } from './client';
import type { Endpoint } from './types';
import type { Kind, Way } from './kinds';

export const addressOf = ({ api_endpoint: url }: Endpoint) => `${url.Scheme}://${url.Host}${url.Path}`;

export interface Registration {
  name: string; address: string; caCert: string; skipSsl: boolean; sso: boolean; clientId: string; clientSecret: string;
}

export const register = (kind: Kind, values: Registration) =>
  call<Endpoint>(`/api/v1/endpoints?endpoint_type=${kind.type}`, {
    ownRefusal: true,
    form: {
      sub_type: kind.subType,
      cnsi_name: values.name,
      api_endpoint: values.address,
      skip_ssl_validation: String(values.skipSsl),
      sso_allowed: String(values.sso),
      cnsi_client_id: values.clientId,
      cnsi_client_secret: values.clientSecret,
      ca_cert: values.caCert,
    },
  });

export const update = (guid: string, values: Omit<Registration, 'address'> & { changeClient: boolean }) =>
  call(`/api/v1/endpoints/${encodeURIComponent(guid)}`, {
    ownRefusal: true,
    form: {
      name: values.name,
      skipSSL: String(values.skipSsl),
      allowSSO: String(values.sso),
      setClientInfo: String(values.changeClient),
      clientID: values.clientId,
      clientSecret: values.clientSecret,
      ca_cert: values.caCert,
    },
  });

export const unregister = (guid: string) => call(`/api/v1/endpoints/${encodeURIComponent(guid)}`, { method: 'DELETE', ownRefusal: true });
export const disconnect = (guid: string) => call(`/api/v1/tokens/${encodeURIComponent(guid)}`, { method: 'DELETE', ownRefusal: true });

export function connect(guid: string, { way, body }: Way, values: Record<string, string>, share: boolean) {
  const query = new URLSearchParams({ cnsi_guid: guid, connect_type: way, system_shared: String(share) });
  if (!body) return call('/api/v1/tokens?' + query.toString(), { ownRefusal: true, form: values });
  const text = way === 'kube-cert-auth' ? `${btoa(values['cert'] ?? '')}:${btoa(values['certKey'] ?? '')}` : values['file'] ?? '';
  return call('/api/v1/tokens?' + query.toString(), { ownRefusal: true, text });
}

export const connectBySso = (guid: string) =>
  window.location.assign(`/api/v1/tokens?guid=${encodeURIComponent(guid)}&state=${encodeURIComponent(window.location.origin + '/endpoints')}`);

/** A cheap call that a connected endpoint of that type answers; none where nothing can be asked. */
const kProbes: Record<string, string> = { cf: 'v3/organizations?per_page=1', k8s: 'version', git: 'user' };
export const canProbe = (endpoint: Endpoint) => Boolean(endpoint.user && kProbes[endpoint.cnsi_type]);
export const probe = (endpoint: Endpoint) => callEndpoint(endpoint.guid, kProbes[endpoint.cnsi_type] ?? '').then(() => true);

interface Favourites { [guid: string]: { guid: string; endpointType: string; endpointId: string; entityType: string; metadata?: unknown } }
export type FavouriteList = Favourites[string][];
export const listFavourites = () => call<FavouriteList | null>('/pp/v1/favorites').then((list) => list ?? []);
export const addFavourite = (endpoint: Endpoint) =>
  call('/pp/v1/favorites', {
    json: {
      guid: `${endpoint.guid}-${endpoint.cnsi_type}`,
      endpointType: endpoint.cnsi_type, endpointId: endpoint.guid, entityType: 'endpoint',
      metadata: { name: endpoint.name, address: addressOf(endpoint) },
    },
  });
export const removeFavourite = (guid: string) => call(`/pp/v1/favorites/${encodeURIComponent(guid)}`, { method: 'DELETE' });
