// Writes THIRD-PARTY-LICENSES, the licences of the packages whose code is in the bundles.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const RULE = `\n${'-'.repeat(72)}\n\n`;

/** Writes the file from the metafiles of esbuild. */
export function writeLicenses(root, metafiles) {
  const folders = new Set(metafiles.flatMap(({ inputs }) => Object.keys(inputs)).map((path) => packageOf(root, path)));
  folders.delete(undefined);
  const notices = new Map([...folders].map((folder) => noticeOf(folder)));
  const names = [...notices.keys()].sort();
  const head = 'onnx-compress bundles these packages. Each keeps its licence.\n\n';
  const list = names.map((name) => `- ${name}\n`).join('');
  writeFileSync(`${root}THIRD-PARTY-LICENSES`, [head + list, ...names.map((name) => notices.get(name))].join(RULE));
}

/** The folder of the package that a file belongs to; undefined for our own files. */
function packageOf(root, path) {
  const folder = /^(?:late:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  return folder === undefined || folder.startsWith('/') ? folder : root + folder;
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`${folder} has no licence file`);
  const text = readFileSync(`${folder}/${file}`, 'utf8').replaceAll('\r', '').trim();
  return [`${name} ${version} (${license})`, `${name} ${version} (${license})\n\n${text}\n`];
}
