// Starts the real server and the simulated foundation, and a browser that forgives nothing.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const kStartMs = 60_000;
const kPollMs = 100;

export function readArguments(names) {
  const values = {};
  for (let i = 2; i < process.argv.length; i += 2) values[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
  for (const name of names) if (!values[name]) throw new Error(`--${name} is missing`);
  return values;
}

/** Says why and ends as a test that did not run. */
export function skip(reason) {
  console.error(`SKIPPED: ${reason}`);
  process.exit(77);
}

export function findChromium() {
  const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return candidates.find((path) => path && existsSync(path)) ?? skip('no Chromium; Debian has it in the package chromium');
}

export async function until(what, check, limitMs = kStartMs) {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, kPollMs));
  }
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class World {
  constructor(paths) {
    this.paths = paths;
    this.folder = mkdtempSync(join(tmpdir(), 'stratos-console-test-'));
    this.children = [];
  }

  spawn(name, program, args, env = {}) {
    const child = spawn(program, args, { cwd: this.folder, env: { PATH: process.env.PATH, HOME: this.folder, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const entry = { name, child, out: '', log: '' };
    child.stdout.on('data', (chunk) => { entry.out += chunk; });
    child.stderr.on('data', (chunk) => { entry.log += chunk; });
    this.children.push(entry);
    return entry;
  }

  async startFoundation() {
    const sim = this.spawn('stratos-sim', this.paths.sim, ['--no-tls', '--apps', '120']);
    const line = await until('the simulated foundation', () => {
      if (sim.child.exitCode !== null) throw new Error(`stratos-sim ended: ${sim.log}`);
      return sim.out.includes('\n') && sim.out;
    });
    this.foundation = JSON.parse(line);
  }

  /** A server of its own database; `settings` are its environment. */
  async startServer(name, settings) {
    const port = await freePort();
    const database = join(this.folder, name);
    mkdirSync(database);
    const server = this.spawn(name, this.paths.server, ['serve'], {
      CONSOLE_PROXY_TLS_ADDRESS: `127.0.0.1:${port}`,
      DATABASE_PROVIDER: 'sqlite',
      SQLITE_DB_DIR: database,
      ENCRYPTION_KEY: randomBytes(32).toString('hex'),
      UI_PATH: this.paths.ui,
      ...settings,
    });
    const url = `https://127.0.0.1:${port}`;
    await until(`${name} to listen`, () => {
      if (server.child.exitCode !== null) throw new Error(`${name} ended: ${server.out}${server.log}`);
      return new Promise((resolve) => {
        import('node:https').then(({ get }) =>
          get(`${url}/index.html`, { rejectUnauthorized: false }, (response) => {
            response.resume();
            resolve(true);
          }).on('error', () => resolve(false)));
      });
    });
    return { url, server, stop: () => this.end(server) };
  }

  async end({ child }) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  async stop(failed) {
    for (const entry of this.children) {
      await this.end(entry);
      if (failed) console.error(`--- ${entry.name}\n${(entry.out + entry.log).slice(-3000)}`);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Opens pages whose violations of the content security policy and uncaught errors are kept. */
export async function openBrowser(modules) {
  const require = createRequire(join(modules, 'index.js'));
  const { chromium } = require('playwright-core');
  const axeSource = require('axe-core').source;
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  const problems = [];
  const newPage = async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1360, height: 800 }, reducedMotion: 'reduce' });
    context.setDefaultTimeout(40_000);
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (/CSP:|Content Security Policy/.test(message.text())) problems.push(message.text());
    });
    page.on('dialog', (dialog) => {
      problems.push(`a dialog of the browser: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return page;
  };
  // Evaluated by the debugger, so the page's policy does not have to allow it.
  const checkAccessibility = async (page, where) => {
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
    for (const { id, help, nodes } of violations) problems.push(`${where}: ${id} (${help}) at ${nodes.map((node) => node.target.join(' ') + ' — ' + node.failureSummary).slice(0, 3).join(' | ')}`);
  };
  return { browser, newPage, problems, checkAccessibility };
}

/** A server that is a cluster, a GitHub, a chart repository, an Artifact Hub and a Prometheus, as far as connecting goes. */
export async function startPlatforms(token) {
  const json = (response, status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const server = createHttpServer((request, response) => {
    const allowed = (request.headers.authorization ?? '').endsWith(token) || (request.headers.authorization ?? '').startsWith('Basic ');
    const path = request.url.split('?')[0];
    const answers = {
      '/api': () => json(response, 200, { kind: 'APIVersions', versions: ['v1'] }),
      '/version': () => json(response, allowed ? 200 : 401, { major: '1', minor: '30' }),
      '/api/v1/pods': () => json(response, allowed ? 200 : 401, { kind: 'PodList', items: [] }),
      '/user': () => json(response, allowed ? 200 : 401, { login: 'octo' }),
      '/index.yaml': () => response.end('apiVersion: v1\nentries: {}\n'),
      '/api/v1/packages/search': () => json(response, 200, { packages: [] }),
      '/': () => response.end('metrics'),
    };
    const answer = answers[path];
    if (answer) answer();
    else json(response, 404, { message: 'Not Found' });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}

export function saveShot(folder, name, bytes) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes);
}
