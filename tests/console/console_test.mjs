// Drives the front end in Chromium against the real server and the simulated foundation.
// node console_test.mjs --server FILE --sim FILE --ui FOLDER --modules FOLDER --shots FOLDER [--only NAME]
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { findChromium, openBrowser, readArguments, saveShot, skip, startPlatforms, until, World } from './harness.mjs';

const kFirstLoadLimit = 350 * 1024;
const kPassword = 'correct horse battery';
const kHostile = '<img src=x onerror=alert(1)>"\'}{{7*7}}';

const paths = readArguments(['server', 'sim', 'ui', 'modules', 'shots']);
if (!existsSync(join(paths.ui, 'index.html'))) skip(`the front end is not built in ${paths.ui}`);
if (!existsSync(join(paths.modules, 'playwright-core'))) skip(`npm has not installed playwright-core in ${paths.modules}`);
findChromium();

const world = new World(paths);
const { browser, newPage, problems, checkAccessibility } = await openBrowser(paths.modules);
const shoot = async (page, name) => {
  await page.evaluate(() => {
    document.getElementById('main')?.scrollTo(0, 0);
    document.querySelectorAll('.pf-v5-c-alert-group .pf-v5-c-alert__action button').forEach((close) => close.click());
  });
  await page.locator('.pf-v5-c-alert-group .pf-v5-c-alert').first().waitFor({ state: 'detached' });
  saveShot(paths.shots, `${name}.png`, await page.screenshot());
};
const button = (page, name, options) => page.getByRole('button', { name, exact: true, ...options });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });

async function signIn(page, url, password = kPassword) {
  await page.goto(url);
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
}

/** A page that is signed in with the cookies of an earlier one: hashing passwords takes its time. */
let cookies;
async function openSignedIn(url) {
  const page = await newPage();
  if (cookies) {
    await page.context().addCookies(cookies);
    await page.goto(url);
  } else {
    await signIn(page, url);
  }
  await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
  cookies ??= await page.context().cookies();
  return page;
}

const tests = {
  async 'the first load stays small'({ url }) {
    const page = await newPage();
    const loaded = [];
    page.on('response', (response) => loaded.push(new URL(response.url()).pathname));
    await signIn(page, url);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    const files = [...new Set(loaded)].filter((path) => path.startsWith('/assets/'));
    assert.ok(files.some((path) => path.endsWith('.js')) && files.some((path) => path.endsWith('.css')), `loaded: ${files}`);
    const fonts = /\.woff2?$/;
    const size = files.reduce((sum, path) => {
      const bytes = readFileSync(join(paths.ui, path));
      return sum + (fonts.test(path) ? bytes.length : gzipSync(bytes).length);
    }, 0);
    console.log(`  first load: ${Math.round(size / 1024)} KiB in ${files.length} files`);
    assert.ok(size < kFirstLoadLimit, `${size} bytes`);
    await page.context().close();
  },

  async 'signing in, refused and accepted, and out'({ url }) {
    const page = await newPage();
    await page.goto(url);
    await page.getByRole('heading', { name: 'Sign in to your account' }).waitFor();
    await checkAccessibility(page, 'sign-in');
    await shoot(page, 'sign-in');
    await signIn(page, url, 'wrong');
    await page.getByRole('alert').getByText(/.+/).first().waitFor();
    assert.equal(await page.getByLabel('Password').inputValue(), '');
    await signIn(page, url);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await page.getByText('No endpoints yet').waitFor();
    await page.reload();
    await page.getByText('No endpoints yet').waitFor();
    await button(page, 'Sign out').click();
    await page.getByRole('heading', { name: 'Sign in to your account' }).waitFor();
    await page.context().close();
  },

  async 'an endpoint from registration to its end'({ url }) {
    const page = await openSignedIn(url);
    await button(page, 'Register endpoint').first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Register endpoint' }).click();
    await dialog.getByText('Fill in all fields that are not optional.').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('Nothing there');
    await dialog.getByLabel('Address').fill('http://127.0.0.1:9');
    await dialog.getByRole('button', { name: 'Register endpoint' }).click();
    await dialog.getByText('Danger alert:').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill(kHostile);
    await dialog.getByLabel('Address').fill(world.foundation.api);
    await checkAccessibility(page, 'register');
    await shoot(page, 'register-endpoint');
    await dialog.getByRole('button', { name: 'Register endpoint' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, kHostile).getByText('Not connected').waitFor();

    await row(page, kHostile).getByRole('button', { name: 'Edit' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('Production');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });

    await row(page, 'Production').getByRole('button', { name: 'Connect', exact: true }).click();
    await dialog.getByLabel('User name', { exact: true }).fill('admin');
    await dialog.getByLabel('Password', { exact: true }).fill('wrong');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    await dialog.getByText('Danger alert:').waitFor();
    await dialog.getByLabel('Password', { exact: true }).fill('admin');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    await row(page, 'Production').getByText('Connected as admin').waitFor();

    // The foundation takes everything back: the state says so, with what to do about it.
    for (const command of ['revoke-refresh-tokens', 'revoke-access-tokens']) await simulator(command);
    await page.reload();
    await row(page, 'Production').getByText('Connection problem').waitFor();
    await row(page, 'Production').getByRole('button', { name: 'Reconnect' }).click();
    await dialog.getByLabel('User name', { exact: true }).fill('admin');
    await dialog.getByLabel('Password', { exact: true }).fill('admin');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    await row(page, 'Production').getByText('Connected as admin').waitFor();

    await page.getByRole('button', { name: 'Add Production to favourites' }).click();
    await page.getByRole('button', { name: 'Remove Production from favourites' }).waitFor();
    await page.getByLabel('Search by name or address').fill('no such name');
    await page.getByText('No endpoint matches').waitFor();
    await button(page, 'Clear filters').click();
    await row(page, 'Production').waitFor();
    await checkAccessibility(page, 'endpoints');
    await shoot(page, 'endpoints');
    await button(page, 'Use dark colours').click();
    await checkAccessibility(page, 'endpoints, dark');
    await shoot(page, 'endpoints-dark');
    await button(page, 'Use light colours').click();

    await row(page, 'Production').getByRole('button', { name: 'Disconnect' }).click();
    await dialog.getByText('Your stored credentials for Production are deleted.').waitFor();
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    await row(page, 'Production').getByText('Not connected').waitFor();
    await row(page, 'Production').getByRole('button', { name: 'Unregister' }).click();
    await dialog.getByText('The endpoint Production is removed from this console for everybody').waitFor();
    await dialog.getByRole('button', { name: 'Unregister' }).click();
    await page.getByText('No endpoints yet').waitFor();
    await page.context().close();
  },

  async 'organizations, spaces, applications and one application'({ url }) {
    const page = await openSignedIn(url);
    await connectFoundation(page, 'Foundation');
    const { resources: [app] } = await throughProxy(page, 'v3/apps?per_page=1');
    await throughProxy(page, `v3/apps/${app.guid}`, 'PATCH', { name: kHostile });

    await page.getByRole('link', { name: 'Cloud Foundry', exact: true }).click();
    await page.getByRole('link', { name: 'Foundation', exact: true }).click();
    await page.getByRole('heading', { name: 'Organizations', level: 1 }).waitFor();
    const { pagination } = await throughProxy(page, 'v3/organizations?per_page=20');
    await page.getByText(`Page 1 of ${pagination.total_pages}, ${pagination.total_results} in all`).first().waitFor();
    await shoot(page, 'organizations');
    await checkAccessibility(page, 'organizations');
    if (pagination.total_pages > 1) {
      await button(page, 'Next page').click();
      await page.getByText(`Page 2 of ${pagination.total_pages}`).first().waitFor();
    }
    const find = page.getByRole('textbox', { name: 'Find by exact name' });
    await find.fill('no such organization');
    await find.press('Enter');
    await page.getByText('Nothing matches what you searched for.').waitFor();
    await find.fill('org-00000');
    await find.press('Enter');
    await page.getByRole('link', { name: 'Users and roles' }).click();
    await row(page, 'space developer').getByText('user', { exact: true }).waitFor();
    await row(page, 'space developer').getByText('space-00000').waitFor();
    await row(page, 'organization manager').getByText('admin', { exact: true }).waitFor();
    await page.goBack();
    await find.fill('org-00000');
    await find.press('Enter');
    await page.getByRole('link', { name: 'org-00000' }).click();
    await page.getByRole('heading', { name: 'Spaces', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'space-00000' }).click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
    await page.getByRole('link', { name: kHostile }).click();
    await page.getByRole('heading', { name: kHostile, level: 1 }).waitFor();
    await row(page, 'RUNNING').first().getByText('/ 256 MB').waitFor();
    await page.getByText('route-00000.apps0.example.com').waitFor();

    const dialog = page.getByRole('dialog');
    await button(page, 'Stop').click();
    await dialog.getByText(`All instances of ${kHostile} end`).waitFor();
    await dialog.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('heading', { level: 1 }).getByText('stopped').waitFor();
    assert.equal((await throughProxy(page, `v3/apps/${app.guid}`)).state, 'STOPPED');
    await row(page, 'DOWN').first().waitFor();
    await row(page, 'audit.app.stop').getByText('admin').waitFor();
    await button(page, 'Start').click();
    await page.getByRole('heading', { level: 1 }).getByText('started').waitFor();

    await row(page, 'STARTING').first().waitFor();
    await simulator('clock', { advanceSeconds: 60 });
    await row(page, 'RUNNING').nth(1).getByText('0 h 1 min').waitFor();

    await throughProxy(page, `v3/apps/${app.guid}`, 'PATCH', { name: 'shop' });
    await page.reload();
    await row(page, 'RUNNING').first().waitFor();
    assert.equal(await page.getByText('swordfish').count(), 0);
    await button(page, 'Show values').click();
    await page.getByText('swordfish').waitFor();
    await button(page, 'Hide values').click();
    await checkAccessibility(page, 'application');
    await shoot(page, 'application');
    await button(page, 'Scale').click();
    await dialog.getByLabel('Instances').fill('1000');
    await dialog.getByRole('button', { name: 'Scale' }).click();
    await dialog.getByText('memory quota_exceeded').waitFor();
    await dialog.getByLabel('Instances').fill('3');
    await dialog.getByRole('button', { name: 'Scale' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, 'RUNNING').nth(2).waitFor();
    await row(page, 'audit.app.process.scale').waitFor();

    // One part that is not to be had leaves the others.
    await simulator('fault', { kind: 'status', status: 500, pathPrefix: `/v3/apps/${app.guid}/processes`, times: -1 });
    await page.reload();
    await page.getByText('Processes and instances: not available').waitFor();
    await page.getByText('route-00000.apps0.example.com').waitFor();
    await simulator('clear-faults');

    await page.route('**/pp/v1/proxy/v3/organizations?**', (route) => route.fulfill({ status: 503, body: 'upstream is down' , contentType: 'text/plain' }));
    await page.getByRole('link', { name: 'Foundation', exact: true }).click();
    await page.getByText('This could not be loaded').waitFor();
    await page.unroute('**/pp/v1/proxy/v3/organizations?**');
    await button(page, 'Try again').click();
    await page.getByRole('link', { name: 'org-00000' }).waitFor();
    await page.context().close();
  },

  async 'organizations, spaces and roles are made, changed and removed'({ url }) {
    const page = await openSignedIn(url);
    const dialog = page.getByRole('dialog');
    if (await row(page, 'Foundation').count() === 0) await connectFoundation(page, 'Foundation');
    await page.getByRole('link', { name: 'Cloud Foundry', exact: true }).click();
    await page.getByRole('link', { name: 'Foundation', exact: true }).click();
    const find = page.getByRole('textbox', { name: 'Find by exact name' });
    const lookFor = async (name) => { await find.fill(name); await find.press('Enter'); };

    await button(page, 'Create organization').click();
    await dialog.getByLabel('Name', { exact: true }).fill('ORG-00001');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await dialog.getByText("Organization 'ORG-00001' already exists.").waitFor();
    await checkAccessibility(page, 'create organization');
    await dialog.getByLabel('Name', { exact: true }).fill(kHostile);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await lookFor(kHostile);
    await row(page, kHostile).getByRole('button', { name: 'Rename' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('team');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await lookFor('team');
    await page.getByRole('link', { name: 'team', exact: true }).click();
    await page.getByRole('heading', { name: 'Spaces', level: 1 }).waitFor();
    await button(page, 'Create space').click();
    await dialog.getByLabel('Name', { exact: true }).fill('dev');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, 'dev').waitFor();
    await page.goBack();

    await page.getByRole('link', { name: 'Users and roles' }).click();
    await button(page, 'Add role').click();
    await dialog.getByLabel('User name').fill('user');
    await dialog.getByLabel('Organization').fill('team');
    await dialog.getByLabel('Space').fill('nowhere');
    await dialog.getByRole('button', { name: 'Add role' }).click();
    await dialog.getByText('There is no space nowhere, or you may not see it.').waitFor();
    await checkAccessibility(page, 'add role');
    await dialog.getByLabel('Space').fill('dev');
    await dialog.getByRole('button', { name: 'Add role' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const inDev = page.getByRole('row').filter({ has: page.getByRole('cell', { name: 'dev', exact: true }) });
    await inDev.waitFor();
    await row(page, 'team').filter({ hasText: 'organization user' }).getByRole('button', { name: 'Remove' }).click();
    await dialog.getByText('user is organization user in team no more').waitFor();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByText('Cannot delete organization_user role').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await inDev.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByText('The platform is working on it: processing').waitFor();
    await dialog.waitFor({ state: 'hidden' });
    await inDev.waitFor({ state: 'detached' });
    await checkAccessibility(page, 'users and roles');

    await page.goBack();
    await lookFor('team');
    await row(page, 'team').getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('The organization team is deleted with all its spaces').waitFor();
    await simulator('fail-next-job', { detail: 'A service instance could not be deleted.' });
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('A service instance could not be deleted.').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('Nothing matches what you searched for.').waitFor();
    const { pagination } = await throughProxy(page, 'v3/spaces?names=dev');
    assert.equal(pagination.total_results, 0);
    await page.context().close();
  },

  async 'routes are mapped and services bound'({ url }) {
    const page = await openSignedIn(url);
    const dialog = page.getByRole('dialog');
    if (await row(page, 'Foundation').count() === 0) await connectFoundation(page, 'Foundation');
    const { resources: [app] } = await throughProxy(page, 'v3/apps?names=app-00004');
    await page.getByRole('link', { name: 'Cloud Foundry', exact: true }).click();
    await page.getByRole('link', { name: 'Foundation', exact: true }).click();
    const at = new URL(page.url()).pathname;
    await page.goto(`${url}${at}/app/${app.guid}`);
    await row(page, 'route-00004').waitFor();

    await button(page, 'Map a route').click();
    await dialog.getByLabel('Host (optional)').fill('not a host');
    await dialog.getByRole('button', { name: 'Map a route' }).click();
    await dialog.getByText('Host must be either').waitFor();
    await checkAccessibility(page, 'map a route');
    await dialog.getByLabel('Host (optional)').fill('shop');
    await dialog.getByLabel('Domain').selectOption({ label: 'apps1.example.com' });
    await dialog.getByRole('button', { name: 'Map a route' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const shop = row(page, 'shop.apps1.example.com');
    await shop.getByRole('button', { name: 'Unmap' }).click();
    await dialog.getByText('app-00004 answers at shop.apps1.example.com no more').waitFor();
    await dialog.getByRole('button', { name: 'Unmap' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await shop.waitFor({ state: 'detached' });
    // The route is still there, and is taken again.
    await button(page, 'Map a route').click();
    await dialog.getByLabel('Host (optional)').fill('shop');
    await dialog.getByLabel('Domain').selectOption({ label: 'apps1.example.com' });
    await dialog.getByRole('button', { name: 'Map a route' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await shop.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('The route shop.apps1.example.com is deleted').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await shop.waitFor({ state: 'detached' });
    assert.equal((await throughProxy(page, 'v3/routes?hosts=shop')).pagination.total_results, 0);

    await button(page, 'Bind a service').click();
    await dialog.getByLabel('Service instance').selectOption({ label: 'service-00004' });
    await checkAccessibility(page, 'bind a service');
    await dialog.getByRole('button', { name: 'Bind a service' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, 'service-00004').getByText('create succeeded').waitFor();
    await checkAccessibility(page, 'routes and services');
    await row(page, 'service-00004').getByRole('button', { name: 'Unbind' }).click();
    await dialog.getByText('app-00004 loses the credentials of service-00004').waitFor();
    await dialog.getByRole('button', { name: 'Unbind' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, 'service-00004').waitFor({ state: 'detached' });

    await page.getByRole('link', { name: 'space-00004' }).click();
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await row(page, 'service-00044').getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('The service instance service-00044 is deleted with its data').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await row(page, 'service-00044').waitFor({ state: 'detached' });
    await row(page, 'service-00004').waitFor();
    await checkAccessibility(page, 'services');
    await page.context().close();
  },

  async 'the log of an application is followed, searched and harmless'({ url }) {
    const page = await openSignedIn(url);
    if (await row(page, 'Foundation').count() === 0) await connectFoundation(page, 'Foundation');
    const { resources: [app] } = await throughProxy(page, 'v3/apps?names=app-00003');
    const log = (text, stream = 'out', instance = 0) => simulator('log', { app: app.guid, text, stream, instance });
    await page.getByRole('link', { name: 'Cloud Foundry', exact: true }).click();
    await page.getByRole('link', { name: 'Foundation', exact: true }).click();
    const at = new URL(page.url()).pathname;
    await page.goto(`${url}${at}/app/${app.guid}`);
    await page.getByRole('link', { name: 'Logs', exact: true }).click();
    const pane = page.getByRole('log');
    const lines = pane.locator('.st-log-line');
    await pane.getByText('INFO GET').first().waitFor();
    const before = await lines.count();
    assert.ok(before >= 60, `${before} lines`);
    await until('the log to grow by itself', async () => (await lines.count()) > before + 1);
    const atEnd = () => pane.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 24);
    assert.ok(await atEnd(), 'the newest line is in sight');

    // What applications print stays text.
    await log('\u001b[31mred\u001b[0m plain \u001b[1;32mgreen\u001b[K\u001b]0;title\u0007');
    await log(kHostile, 'err', 1);
    await log('user \u202etxt.exe\u202c שלום');
    await pane.getByText('red', { exact: true }).waitFor();
    assert.equal(await pane.locator('.st-ansi-red').textContent(), 'red');
    assert.equal(await pane.locator('.st-ansi-green.st-ansi-bold').textContent(), 'green');
    await pane.getByText(kHostile).waitFor();
    await pane.getByText('user ‹U+202E›txt.exe‹U+202C› שלום').waitFor();
    assert.equal(await pane.locator('img').count(), 0);
    assert.ok(!(await pane.textContent()).includes('title'));

    await page.getByLabel('Search in the lines').fill('ONERROR=');
    await page.getByRole('status').getByText('1 match', { exact: true }).waitFor();
    assert.equal(await pane.locator('mark').textContent(), 'onerror=');
    await page.getByLabel('Matching lines only').check();
    await until('only the match to be shown', async () => (await lines.count()) === 1);
    await page.getByLabel('Matching lines only').uncheck();
    await page.getByLabel('Search in the lines').fill('green');
    await page.getByRole('status').getByText('1 match', { exact: true }).waitFor();
    await checkAccessibility(page, 'logs');
    await page.getByLabel('Search in the lines').fill('GET /orders');
    await shoot(page, 'logs');
    await page.getByLabel('Search in the lines').fill('');
    await page.getByLabel('Instance', { exact: true }).selectOption('1');
    await page.getByLabel('Stream', { exact: true }).selectOption({ label: 'Errors' });
    await until('only errors of one instance', async () =>
      (await pane.locator('.st-log-source').allTextContents()).every((source) => source === 'APP/PROC/WEB/1 ERR'));
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Download').click()]);
    assert.equal(download.suggestedFilename(), 'app-00003.log');
    assert.ok(readFileSync(await download.path(), 'utf8').includes(`[APP/PROC/WEB/1] ERR ${kHostile}\n`));
    await page.getByLabel('Instance', { exact: true }).selectOption('');
    await page.getByLabel('Stream', { exact: true }).selectOption('');

    // Reading further up is not disturbed; the keyboard moves it.
    await pane.focus();
    await page.keyboard.press('Home');
    await until('the beginning to be in sight', () => pane.evaluate((element) => element.scrollTop === 0));
    await button(page, 'Go to the newest line').click();
    await until('the end to be in sight', atEnd);

    await button(page, 'Pause').click();
    await page.getByRole('status').getByText('Paused').waitFor();
    await log('said while nobody looked');
    const asked = [];
    page.on('request', (request) => { if (request.url().includes('/logs?')) asked.push(request.url()); });
    await page.getByRole('link', { name: 'Overview' }).waitFor();
    assert.equal(await pane.getByText('said while nobody looked').count(), 0);
    assert.deepEqual(asked, []);
    await button(page, 'Resume').click();
    await pane.getByText('said while nobody looked').waitFor();

    // The token has expired at the foundation, and the log has grown by more than one answer holds.
    await simulator('clock', { advanceSeconds: 1500 });
    await until('a thousand lines', async () => (await lines.count()) > 1000);

    // A failure is told, and the log goes on by itself.
    await simulator('fault', { kind: 'status', status: 503, pathPrefix: '/api/v1/read/', times: 2 });
    await page.getByText('Log Cache answered 503').waitFor();
    await page.getByText('The lines that follow cannot be read').waitFor();
    await log('after the failure');
    await pane.getByText('after the failure').waitFor();
    await page.getByText('Log Cache answered 503').waitFor({ state: 'detached' });
    await button(page, 'Clear').click();
    await until('the pane to be cleared', async () => (await lines.count()) < 20);
    await page.context().close();
  },

  async 'endpoints of other types are registered and connected'({ url }) {
    const platforms = await startPlatforms('platform-token');
    const page = await openSignedIn(url);
    const dialog = page.getByRole('dialog');
    const kubeconfig = [
      'apiVersion: v1', 'kind: Config', 'current-context: here', 'clusters:', '- name: here', `  cluster: {server: '${platforms.url}'}`, 'contexts:', '- name: here',
      '  context: {cluster: here, user: me}', 'users:', '- name: me', '  user: {token: platform-token}',
    ].join('\n');
    const cases = [
      { kind: 'Kubernetes', way: 'Token', fields: { Token: 'platform-token' }, connected: 'Connected as' },
      { kind: 'K3s', way: 'Kubeconfig', fields: { 'File contents': kubeconfig }, connected: 'Connected as' },
      { kind: 'GitHub', fields: { Token: 'platform-token' }, connected: 'Connected as' },
      { kind: 'Helm repository', fields: { 'User name': 'ada', Password: 'secret' }, connected: 'Connected as ada' },
      { kind: 'Artifact Hub', connected: 'No credentials needed' },
      { kind: 'Metrics', connected: 'Not connected' },
    ];
    for (const { kind, way, fields, connected } of cases) {
      const name = `my ${kind}`;
      await button(page, 'Register endpoint').first().click();
      await dialog.getByLabel('Kind').selectOption({ label: kind });
      await dialog.getByLabel('Name', { exact: true }).fill(name);
      // A platform is registered once per address.
      await dialog.getByLabel('Address').fill(kind === 'K3s' ? `${platforms.url}/` : platforms.url);
      await dialog.getByRole('button', { name: 'Register endpoint' }).click();
      await row(page, name).waitFor();
      if (fields) {
        await row(page, name).getByRole('button', { name: 'Connect', exact: true }).click();
        if (way) await dialog.getByLabel('How to connect').selectOption({ label: way });
        for (const [label, value] of Object.entries(fields)) await dialog.getByLabel(label, { exact: true }).fill(value);
        await dialog.getByRole('button', { name: 'Connect' }).click();
      }
      await row(page, name).getByText(connected).waitFor();
      await row(page, name).getByRole('button', { name: 'Unregister' }).click();
      await dialog.getByRole('button', { name: 'Unregister' }).click();
      await row(page, name).waitFor({ state: 'detached' });
    }
    await page.context().close();
    await platforms.stop();
  },

  async 'favourites, API keys, sessions and password'({ url }) {
    const page = await openSignedIn(url);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'Me', exact: true }).click();
    await page.getByLabel('What the key is for').fill(kHostile);
    await button(page, 'Make an API key').click();
    await page.getByText('Copy this key now').waitFor();
    await row(page, kHostile).getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`Programs that use the key “${kHostile}” lose their access at once.`).waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No API keys').waitFor();
    await row(page, 'this one').waitFor();
    await page.getByText('sqlite').waitFor();
    await button(page, 'Edit profile').click();
    await page.getByLabel('Given name (optional)').fill(kHostile);
    await page.getByLabel('E-mail').fill('ada@example.com');
    await button(page, 'Save').click();
    await page.getByText('Your profile is saved.').waitFor();
    await page.getByText(kHostile, { exact: true }).waitFor();
    await page.getByLabel('Your current password').fill('falsch €');
    await page.getByLabel('New password', { exact: true }).fill('another battery');
    await page.getByLabel('Repeat the new password').fill('another battery');
    await button(page, 'Change password').click();
    await page.getByText('The current password is wrong').waitFor();
    await checkAccessibility(page, 'me');
    await shoot(page, 'me');
    await page.context().close();
  },

  async 'the first-run set-up makes an administrator'() {
    const fresh = await world.startServer('fresh', { AUTH_ENDPOINT_TYPE: 'local' });
    const page = await newPage();
    await page.goto(fresh.url);
    await page.getByRole('heading', { name: 'Set up this console' }).waitFor();
    await checkAccessibility(page, 'set-up');
    await shoot(page, 'set-up');
    await page.getByLabel('Password of the administrator').fill(kPassword);
    await page.getByLabel('Repeat the password').fill('something else');
    await button(page, 'Finish set-up').click();
    await page.getByText('The two passwords differ.').waitFor();
    await page.getByLabel('Repeat the password').fill(kPassword);
    await button(page, 'Finish set-up').click();
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await page.context().close();
    await fresh.stop();
  },

  async 'sign-in with a UAA, and none'() {
    const uaa = await world.startServer('uaa', {
      AUTH_ENDPOINT_TYPE: 'remote', UAA_ENDPOINT: world.foundation.uaa, CONSOLE_CLIENT: 'console', CONSOLE_CLIENT_SECRET: 'consolesecret', CONSOLE_ADMIN_SCOPE: 'stratos.admin',
    });
    const page = await newPage();
    await signIn(page, uaa.url, 'admin');
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await uaa.stop();
    const open = await world.startServer('open', { AUTH_ENDPOINT_TYPE: 'none' });
    await page.goto(open.url);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await page.context().close();
    await open.stop();
  },

  async 'single sign-on: a button, or at once'({ url }) {
    const page = await newPage();
    const begun = [];
    await page.route('**/pp/v1/auth/sso_login?**', (route) => {
      begun.push(new URL(route.request().url()).searchParams.get('state'));
      return route.fulfill({ contentType: 'text/html', body: '<title>provider</title>' });
    });
    let option = 'enabled';
    await page.route('**/api/v1/auth/verify', (route) =>
      route.fulfill({ json: { status: 'error', error: 'no session', data: null }, headers: { 'x-stratos-sso-login': option } }));
    await page.goto(url);
    await button(page, 'Sign in with single sign-on').waitFor();
    await checkAccessibility(page, 'single sign-on');
    option = 'nosplash,logout';
    await page.goto(`${url}/login?SSO_Message=You+are+signed+out`);
    await page.getByText('You are signed out').waitFor();
    assert.deepEqual(begun, []);
    await page.goto(url);
    await page.waitForURL('**/sso_login?**');
    assert.deepEqual(begun, [`${url}/`]);
    await page.context().close();
  },

  async 'hosted on Cloud Foundry there is no page for endpoints'({ url }) {
    const page = await newPage();
    await openSignedIn(url).then((other) => other.context().close());
    let persistent = true;
    await page.context().addCookies(cookies);
    await page.route('**/api/v1/auth/verify', async (route) => {
      const answer = await route.fetch();
      const json = await answer.json();
      // What HostingTest.SaysWhereItRuns has seen.
      json.data['cloud-foundry'] = { AppGUID: 'app-1', EndpointGUID: '', SpaceGUID: 'space-1' };
      json.data['plugin-config'] = { disablePersistenceFeatures: persistent ? 'false' : 'true' };
      return route.fulfill({ response: answer, json });
    });
    await page.goto(`${url}/endpoints`);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    persistent = false;
    await page.goto(`${url}/endpoints`);
    await page.getByRole('heading', { name: 'Cloud Foundry', level: 1 }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Endpoints', exact: true }).count(), 0);
    await page.context().close();
  },

  async 'a session that the server has ended leads to the sign-in page'({ url }) {
    const page = await openSignedIn(url);
    await page.getByRole('heading', { name: 'Endpoints', level: 1 }).waitFor();
    await page.context().clearCookies();
    await page.getByRole('link', { name: 'Me', exact: true }).click();
    await page.getByText('Your session has ended. Please sign in again.').waitFor();
    await page.context().close();
  },

  async 'a session that is about to end warns, and goes on when asked'({ url }) {
    const page = await newPage();
    // The end is brought near: the page believes what the server announces.
    await page.route('**/api/v1/auth/verify', async (route) => {
      const answer = await route.fetch();
      const headers = { ...answer.headers(), 'x-cap-session-expires-on': String(Math.floor(Date.now() / 1000) + 100) };
      await route.fulfill({ response: answer, headers });
    });
    await page.context().addCookies(cookies ?? []);
    await page.goto(url);
    if (!cookies) await signIn(page, url);
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Your session is about to end').waitFor();
    await checkAccessibility(page, 'session warning');
    await page.unroute('**/api/v1/auth/verify');
    await dialog.getByRole('button', { name: 'Stay signed in' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.context().close();
  },

  async 'a cookie domain that does not fit is named'({ url }) {
    const page = await newPage();
    await page.route('**/api/v1/auth/verify', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, headers: { ...answer.headers(), 'x-stratos-domain': 'console.example.com' } });
    });
    await page.goto(url);
    await page.getByText('This console works under console.example.com').waitFor();
    await page.context().close();
  },

  async 'an upgrade and an outage are told apart'({ url }) {
    const page = await newPage();
    await page.route('**/api/v1/auth/verify', (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '10' } }));
    await page.goto(url);
    await page.getByRole('heading', { name: 'An upgrade is in progress' }).waitFor();
    await page.unroute('**/api/v1/auth/verify');
    await page.route('**/api/v1/auth/verify', (route) => route.abort());
    await button(page, 'Try again').click();
    await page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor();
    await checkAccessibility(page, 'unreachable');
    await page.unroute('**/api/v1/auth/verify');
    await button(page, 'Try again').click();
    await page.getByRole('heading', { name: 'Sign in to your account' }).waitFor();
    await page.context().close();
  },
};

async function connectFoundation(page, name) {
  await button(page, 'Register endpoint').first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill(name);
  await dialog.getByLabel('Address').fill(world.foundation.api);
  await dialog.getByRole('button', { name: 'Register endpoint' }).click();
  await row(page, name).getByRole('button', { name: 'Connect', exact: true }).click();
  await dialog.getByLabel('User name', { exact: true }).fill('admin');
  await dialog.getByLabel('Password', { exact: true }).fill('admin');
  await dialog.getByRole('button', { name: 'Connect' }).click();
  await row(page, name).getByText('Connected as admin').waitFor();
}

/** Calls the foundation with the session of the page, past the front end. */
const throughProxy = (page, path, method = 'GET', body = undefined) =>
  page.evaluate(async ([target, verb, content]) => {
    const verified = await fetch('/api/v1/auth/verify');
    const guid = Object.keys((await verified.json()).data.endpoints.cf)[0];
    const headers = { 'x-xsrf-token': verified.headers.get('x-xsrf-token'), 'x-cap-cnsi-list': guid, 'x-cap-passthrough': 'true', 'content-type': 'application/json' };
    const answer = await fetch(`/pp/v1/proxy/${target}`, { method: verb, headers, body: content && JSON.stringify(content) });
    if (!answer.ok) throw new Error(`${target}: ${answer.status}`);
    return answer.json();
  }, [path, method, body]);

async function simulator(command, body = {}) {
  const answer = await fetch(`${world.foundation.control}/sim/${command}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  assert.equal(answer.status, 200, command);
}

let failed = 0;
try {
  await world.startFoundation();
  const server = await world.startServer('server', {
    AUTH_ENDPOINT_TYPE: 'local', LOCAL_USER: 'admin', LOCAL_USER_PASSWORD: kPassword, LOCAL_USER_SCOPE: 'stratos.admin', CONSOLE_ADMIN_SCOPE: 'stratos.admin',
    API_KEYS_ENABLED: 'all_users',
  });
  for (const [name, run] of Object.entries(tests)) {
    if (paths.only && !name.includes(paths.only)) continue;
    const began = Date.now();
    problems.length = 0;
    try {
      await run(server);
      assert.deepEqual(problems, [], 'what the pages complained about');
      console.log(`ok      ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.error(`FAILED  ${name}\n${error.stack ?? error}\n${problems.join('\n')}`);
      for (const [index, context] of browser.contexts().entries()) {
        const page = context.pages()[0];
        if (page) await shoot(page, `failed-${failed}-${index}`).catch((e) => console.error(`no screenshot: ${e.message}`));
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  await world.stop(failed > 0);
}
process.exitCode = failed ? 1 : 0;
