/** The files of docs/guides/clusters. No cluster is needed: the files are parsed, and the commands in them are run. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { fixture, folder, ROOT, shell } from '../support/cli.ts';

const CLUSTERS = join(ROOT, 'docs/guides/clusters');
const textOf = (name: string): string => readFileSync(join(CLUSTERS, name), 'utf8');
const SCRIPTS = readdirSync(CLUSTERS).filter((name) => name.endsWith('.sh'));

/** A folder with two models and their list. */
function models(): string {
  const cwd = folder();
  mkdirSync(join(cwd, 'm/x'), { recursive: true });
  for (const path of ['m/a.onnx', 'm/x/a.onnx']) cpSync(fixture('digits-mlp.onnx'), join(cwd, path));
  writeFileSync(join(cwd, 'models.txt'), 'm/a.onnx\nm/x/a.onnx\n');
  return cwd;
}

function made(cwd: string): string[] {
  const files = readdirSync(join(cwd, 'small'), { recursive: true }) as string[];
  return files.filter((name) => name.endsWith('.onnx')).sort();
}

test.each(SCRIPTS)('%s stops at the first error', (name) => {
  const text = textOf(name);
  expect(text).toMatch(/^#!\/usr\/bin\/env bash\n/);
  expect(text).toMatch(/^set -euo pipefail$/m);
  expect(text).not.toMatch(/\r|`|\t| $/m);
  // Every variable is quoted, except in tests of bash itself and in assignments.
  const bare = text
    .split('\n')
    .filter((line) => /(?<!["=\w{:[(+-])\$\{?\w+/.test(line.replaceAll(/"[^"]*"|#.*/g, '""')));
  expect(bare).toEqual([]);
  expect(spawnSync('bash', ['-n', join(CLUSTERS, name)]).status).toBe(0);
});

test('slurm-array.sh takes its share of the list, and does not make existing files again', () => {
  const cwd = models();
  const script = `bash ${join(CLUSTERS, 'slurm-array.sh')} models.txt small`;
  const env = { SLURM_ARRAY_TASK_COUNT: '2' };
  expect(shell(script, { cwd, env: { ...env, SLURM_ARRAY_TASK_ID: '1' } })).toMatchObject({ code: 0, stderr: '' });
  expect(made(cwd)).toEqual(['m/x/a.onnx']);
  // One process for all: the first file is made, the second exists.
  writeFileSync(join(cwd, 'small/m/x/a.onnx'), 'kept');
  expect(shell(script, { cwd })).toMatchObject({ code: 0, stderr: '' });
  expect(made(cwd)).toEqual(['m/a.onnx', 'm/x/a.onnx']);
  expect(readFileSync(join(cwd, 'small/m/x/a.onnx'), 'utf8')).toBe('kept');
  expect(textOf('slurm-array.sh')).toContain('--array=0-99');
});

test('parallel.sh calls GNU parallel with a command for each line of the list', () => {
  const cwd = models();
  mkdirSync(join(cwd, 'bin'));
  writeFileSync(join(cwd, 'bin/parallel'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
  chmodSync(join(cwd, 'bin/parallel'), 0o755);
  const script = `PATH="$PWD/bin:$PATH" bash ${join(CLUSTERS, 'parallel.sh')} models.txt small`;
  const lines = (env: Readonly<Record<string, string>>): string[] =>
    shell(script, { cwd, env }).stdout.toString().trim().split('\n');
  const command = ['onnx-compress', 'quantize', '--int8', '--quiet', '--force', '{}', '-o', 'small/{//}/'];
  expect(lines({})).toEqual([
    ...['--jobs', '4', '--joblog', 'small/jobs.log', '--resume-failed', '--halt', 'never', '--bar'],
    ...[...command, '::::', 'models.txt'],
  ]);
  expect(lines({ HOSTS: 'ada,grace', JOBS: '8' }).slice(0, 6)).toEqual([
    ...['--sshlogin', 'ada,grace', '--workdir', cwd, '--jobs', '8'],
  ]);
  // Then runs that command with a line filled in.
  const run = command.join(' ').replace('{//}', 'm/x').replace('{}', 'm/x/a.onnx');
  expect(shell(run, { cwd })).toMatchObject({ code: 0, stderr: '' });
  expect(made(cwd)).toEqual(['m/x/a.onnx']);
});

test('kubernetes-job.yaml is an indexed Job, and each pod takes its share of the list', () => {
  const job = parse(textOf('kubernetes-job.yaml'), { strict: true, uniqueKeys: true });
  expect(job).toMatchObject({ apiVersion: 'batch/v1', kind: 'Job', spec: { completionMode: 'Indexed' } });
  const { completions, template } = job.spec;
  expect(template.spec.restartPolicy).toBe('Never');
  const [container] = template.spec.containers;
  expect(container.env).toEqual([{ name: 'TASKS', value: String(completions) }]);
  const names = (list: { name: string }[]): string[] => list.map(({ name }) => name).sort();
  expect(names(container.volumeMounts)).toEqual(names(template.spec.volumes));
  expect(container.command).toEqual(['bash', '-c']);
  const cwd = models();
  const script = (container.args[0] as string)
    .replace(/^npm install .*\n/m, '')
    .replaceAll('/models', cwd)
    .replaceAll('/results', join(cwd, 'small'));
  expect(shell(script, { cwd, env: { JOB_COMPLETION_INDEX: '0', TASKS: '2' } })).toMatchObject({ code: 0, stderr: '' });
  expect(made(cwd)).toEqual(['m/a.onnx']);
});
