// Which kinds of endpoints there are, and how one connects to each.
export interface Way {
  way: string;
  fields: string[];
  /** The only field is sent as the body, the rest is in the query. */
  body?: boolean;
}
export interface Kind { id: string; type: string; subType: string; address: string; ways: Way[]; oauthClient?: boolean }

const creds: Way = { way: 'creds', fields: ['username', 'password'] };
const file = (way: string): Way => ({ way, fields: ['file'], body: true });
const k8sToken: Way = { way: 'k8s-token', fields: ['token'] };
const certificate: Way = { way: 'kube-cert-auth', fields: ['cert', 'certKey'], body: true };
const k8s = (id: string, subType: string, ways: Way[]): Kind => ({ id, type: 'k8s', subType, address: 'https://cluster.example.com:6443', ways });
const anyCluster = [file('kubeconfig'), k8sToken, certificate, creds, file('OIDC')];

export const kinds: Kind[] = [
  { id: 'cf', type: 'cf', subType: '', address: 'https://api.example.com', oauthClient: true, ways: [creds, { way: 'passcode', fields: ['passcode'] }, { way: 'sso', fields: [] }] },
  k8s('k8s', '', anyCluster),
  k8s('caasp', 'caasp', [file('OIDC'), ...anyCluster.slice(0, 4)]),
  k8s('aks', 'aks', [file('kubeconfig-az'), ...anyCluster]),
  k8s('eks', 'eks', [{ way: 'aws-iam', fields: ['cluster', 'access_key', 'secret_key'] }, ...anyCluster]),
  k8s('gke', 'gke', [file('gke-auth'), ...anyCluster]),
  k8s('k3s', 'k3s', [creds, ...anyCluster.slice(0, 3)]),
  { id: 'github', type: 'git', subType: 'github', address: 'https://api.github.com', ways: [{ way: 'token', fields: ['token'] }] },
  { id: 'gitlab', type: 'git', subType: 'gitlab', address: 'https://gitlab.com/api/v4', ways: [{ way: 'bearer', fields: ['token'] }] },
  { id: 'repo', type: 'helm', subType: 'repo', address: 'https://charts.example.com', ways: [creds] },
  { id: 'hub', type: 'helm', subType: 'hub', address: 'https://artifacthub.io', ways: [] },
  { id: 'metrics', type: 'metrics', subType: '', address: 'https://metrics.example.com', ways: [creds, { way: 'none', fields: [] }] },
];

export const kindOf = (type: string, subType: string): Kind | undefined =>
  kinds.find((kind) => kind.type === type && kind.subType === subType) ?? kinds.find((kind) => kind.type === type);
