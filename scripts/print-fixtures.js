// Writes fixtures/**/<name>.txt, the printed form of every readable fixture. Needs `npm run build`.
import { readdirSync, writeFileSync } from 'node:fs';
import { print, readModel } from '../dist/index.node.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
for (const name of readdirSync(fixtures, { recursive: true })) {
  if (!name.endsWith('.onnx') || name.startsWith('malformed')) continue;
  const model = await readModel(fixtures + name);
  writeFileSync(fixtures + name.replace(/\.onnx$/, '.txt'), print(model));
  await model.close();
}
