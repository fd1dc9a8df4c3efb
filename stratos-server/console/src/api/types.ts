export interface ApiUrl { Scheme: string; Host: string; Path: string }
export interface User { guid: string; name: string; admin: boolean; scopes: string[] | null }
export interface Endpoint {
  guid: string;
  name: string;
  cnsi_type: string;
  sub_type: string;
  api_endpoint: ApiUrl;
  skip_ssl_validation: boolean;
  client_id: string;
  sso_allowed: boolean;
  ca_cert: string;
  user: User | null;
  creator: { name: string; admin: boolean; system: boolean };
  system_shared_token: boolean;
}
export interface Diagnostics {
  deploymentType: string;
  databaseBackend: string;
  databaseMigrations: { id: number; version_id: number; timestamp: string }[];
}
export interface Info {
  version: { proxy_version: string; database_version: number };
  user: User;
  endpoints: Record<string, Record<string, Endpoint>>;
  plugins: Record<string, boolean>;
  'plugin-config'?: Record<string, string>;
  diagnostics?: Diagnostics;
  config: { APIKeysEnabled: string; userEndpointsEnabled: string };
}
export interface Session {
  id: string; created_at: string; last_seen_at: string; expires_at: string; address: string; user_agent: string; current: boolean;
}
export interface ApiKey { guid: string; secret: string; comment: string; last_used?: string | null; expires_at?: string }
export interface Favourite { guid: string; endpointType: string; endpointId: string; entityType: string; entityId?: string; metadata?: { name?: string } }
export interface Profile {
  id: string; userName: string; name?: { givenName?: string; familyName?: string }; emails?: { value: string }[]; [other: string]: unknown;
}

export interface Pagination { total_results: number; total_pages: number }
export interface Page<T> { pagination: Pagination; resources: T[]; included?: { users?: CfUser[]; spaces?: Named[]; organizations?: Named[] } }
export interface Named { guid: string; name: string; created_at?: string }
export interface CfUser { guid: string; username: string | null; presentation_name?: string }
export interface Organization extends Named { suspended?: boolean }
export interface App extends Named { state: string; lifecycle?: { type: string }; relationships?: { space?: { data?: { guid: string } } } }
export interface Process { guid: string; type: string; instances: number; memory_in_mb: number; disk_in_mb: number }
export interface InstanceStats {
  index: number; state: string; uptime?: number; details?: string | null; mem_quota?: number; disk_quota?: number;
  usage?: { cpu?: number; mem?: number; disk?: number };
}
export interface Role {
  guid: string; type: string;
  relationships: { user?: { data: { guid: string } | null }; space?: { data: { guid: string } | null }; organization?: { data: { guid: string } | null } };
}
export interface Route { guid: string; url: string; destinations?: { guid: string | null; app: { guid: string } }[] }
export interface ServiceInstance extends Named { type: string; last_operation?: { type: string; state: string } | null }
export interface ServiceBinding { guid: string; type: string; last_operation?: { type: string; state: string } | null; relationships?: { service_instance?: { data?: { guid: string } } } }
export interface AuditEvent { guid: string; type: string; created_at: string; actor?: { name?: string } }
