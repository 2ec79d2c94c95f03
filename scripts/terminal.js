// Runs the commands of the README's picture and draws what a terminal shows: docs/terminal.svg.
//   npm run build && node scripts/terminal.js
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anser from 'anser';

const COMMANDS = [
  'onnx-compress prune --l1 0.4 digits-mlp.onnx | onnx-compress quantize --int8 > small.onnx',
  'onnx-compress verify digits-mlp.onnx small.onnx --data digits-mlp-test.npz --require-fused',
];
const [LETTER, LINE, EDGE, SIZE] = [8.43, 20, 20, 14];
const root = new URL('..', import.meta.url).pathname;

/** The output of the commands, as a terminal would show it. */
function session() {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
  try {
    for (const name of ['digits-mlp.onnx', 'digits-mlp-test.npz'])
      symlinkSync(join(root, 'fixtures', name), join(folder, name));
    const shim = join(folder, 'onnx-compress');
    writeFileSync(shim, `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin/compress.js')}" "$@"\n`);
    chmodSync(shim, 0o755);
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, FORCE_COLOR: '1' };
    for (const name of ['NO_COLOR', 'COLUMNS']) delete env[name];
    return COMMANDS.flatMap((command) => {
      const done = spawnSync('bash', ['-c', command], { cwd: folder, env, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(`${command}: ${done.stdout}${done.stderr}`);
      // A report is on standard error, a result on standard output: no command here has both.
      const shown = done.stdout === '' ? done.stderr : done.stdout;
      return [`\u001b[2m$\u001b[0m \u001b[1m${command}\u001b[0m`, ...shown.trimEnd().split('\n'), ''];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function span({ content, fg, decorations }) {
  const classes = [...decorations.map((one) => (one === 'dim' ? 'faint' : one)), fg?.replace('ansi-', '')].filter(
    Boolean,
  );
  const text = Anser.escapeForHtml(content);
  return classes.length === 0 ? text : `<tspan class="${classes.join(' ')}">${text}</tspan>`;
}

function draw(lines) {
  const plain = lines.map((line) => Anser.ansiToText(line));
  const width = Math.ceil(2 * EDGE + LETTER * Math.max(...plain.map((line) => [...line].length)));
  const height = 2 * EDGE + LINE * lines.length;
  const texts = lines.map((line, index) => {
    const spans = Anser.ansiToJson(line, { use_classes: true, remove_empty: true }).map(span);
    return `<text x="${EDGE}" y="${EDGE + LINE * index + SIZE}" xml:space="preserve">${spans.join('')}</text>`;
  });
  const label = `Terminal: ${COMMANDS.map((one) => Anser.escapeForHtml(one)).join('; ')}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${label.replaceAll('"', '&quot;')}">
<style>
rect { fill: #ffffff; stroke: #d0d7de; }
text { fill: #24292f; font: ${SIZE}px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.bold { font-weight: 700; }
.faint { fill: #6e7781; }
.green { fill: #1a7f37; }
.yellow { fill: #9a6700; }
.red { fill: #cf222e; }
.cyan { fill: #1b7c83; }
@media (prefers-color-scheme: dark) {
rect { fill: #0d1117; stroke: #30363d; }
text { fill: #e6edf3; }
.faint { fill: #8b949e; }
.green { fill: #3fb950; }
.yellow { fill: #d29922; }
.red { fill: #f85149; }
.cyan { fill: #39c5cf; }
}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>
${texts.join('\n')}
</svg>
`;
}

writeFileSync(join(root, 'docs/terminal.svg'), draw(session().slice(0, -1)));
