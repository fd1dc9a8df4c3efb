// Bundles the front end: node build.mjs [--out FOLDER]
import { build } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const at = process.argv.indexOf('--out');
const out = at > 0 ? process.argv[at + 1] : join(here, 'dist');

// PatternFly's components import their style sheets, and the index of the package all of them. What
// is used is listed in src/patternfly.css instead.
const ownStyleList = {
  name: 'own-style-list',
  setup(api) {
    api.onResolve({ filter: /\.css$/ }, ({ importer }) =>
      /react-styles.*\.m?js$/.test(importer) ? { path: importer, namespace: 'unused-style' } : undefined);
    api.onLoad({ filter: /.*/, namespace: 'unused-style' }, () => ({ contents: '', loader: 'empty' }));
  },
};
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: [join(here, 'src/main.tsx')],
  outdir: join(out, 'assets'),
  bundle: true,
  format: 'esm',
  splitting: true,
  minify: true,
  metafile: true,
  target: 'es2021',
  jsx: 'automatic',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  publicPath: '/assets',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.woff2': 'file', '.woff': 'file', '.ttf': 'file', '.eot': 'file', '.svg': 'file', '.png': 'file', '.jpg': 'file' },
  plugins: [ownStyleList],
  logLevel: 'warning',
});

const files = Object.entries(result.metafile.outputs);
const entry = files.find(([, output]) => output.entryPoint?.endsWith('src/main.tsx'));
if (!entry) throw new Error('esbuild made no entry point');
const [script, { cssBundle }] = entry;
const html = readFileSync(join(here, 'index.html'), 'utf8')
  .replace('%SCRIPT%', `/assets/${basename(script)}`)
  .replace('%STYLE%', `/assets/${basename(cssBundle)}`);
writeFileSync(join(out, 'index.html'), html);
console.log(`front end: ${files.length} files in ${relative(process.cwd(), out) || out}`);
