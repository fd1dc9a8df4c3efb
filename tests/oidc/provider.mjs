// A real OpenID Connect provider with one user and no pages: whoever comes is signed in as "ann".
// Prints "listening <port>" on a port of its own choice. GET /test/revoke ends every grant.
import http from 'node:http';
import Provider from 'oidc-provider';

const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const callback = /^http:\/\/127\.0\.0\.1:\d+\/pp\/v1\/auth\/sso_login_callback$/;
const grants = new Set();

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'console',
      client_secret: 'a secret: with/special+signs',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1:1/pp/v1/auth/sso_login_callback'],
    },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
  cookies: { keys: ['only for tests'] },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: 'ann',
      email: 'ann@example.org',
      email_verified: true,
      groups: ['console-admins', 'others'],
    }),
  }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile email');
    grants.add(await grant.save());
    return grant;
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  // Shorter than the margin of the console, so that each check of the session renews.
  ttl: { AccessToken: 20, IdToken: 60, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
});
provider.Client.prototype.redirectUriAllowed = (uri) => callback.test(uri);
provider.Client.prototype.postLogoutRedirectUriAllowed = (uri) => callback.test(uri);

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/interaction/')) {
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'ann-1' } });
    ctx.respond = false;
  } else if (ctx.path === '/test/revoke') {
    for (const id of grants) await (await provider.Grant.find(id))?.destroy();
    ctx.body = 'revoked';
  } else {
    await next();
  }
});
server.on('request', provider.callback());
console.log(`listening ${server.address().port}`);
