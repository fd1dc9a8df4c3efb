// The types of the front end fit, and its lock file can be used anywhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments, skip } from './harness.mjs';

const { work } = readArguments(['work']);
const compiler = join(work, 'node_modules/typescript/bin/tsc');
if (!existsSync(compiler)) skip(`npm has not installed typescript in ${work}`);
const { status, stdout } = spawnSync(process.execPath, [compiler, '--noEmit', '-p', work], { encoding: 'utf8' });
assert.equal(status, 0, stdout);
// No package is tied to the registry that somebody has used.
assert.doesNotMatch(readFileSync(join(work, 'package-lock.json'), 'utf8'), /"resolved"/);
console.log('ok');
