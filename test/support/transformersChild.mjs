// Loads models with transformers.js, by dtype, from folders: see transformersJs.ts.
import { AutoModel, AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = '/';

const ids = (rows) => new Tensor('int64', BigInt64Array.from(rows.flat().map(BigInt)), [rows.length, rows[0].length]);

async function run({ folder, dtype, kind, rows }) {
  const options = { dtype, local_files_only: true };
  const input_ids = ids(rows);
  const attention_mask = ids(rows.map((row) => row.map(() => 1)));
  if (kind === 'encoder') {
    const model = await AutoModel.from_pretrained(folder, options);
    const { last_hidden_state } = await model({ input_ids, attention_mask });
    await model.dispose();
    return { outputs: Float32Array.from(last_hidden_state.data) };
  }
  const model = await AutoModelForCausalLM.from_pretrained(folder, options);
  const { logits } = await model({ input_ids, attention_mask });
  const text = await model.generate({ inputs: input_ids, attention_mask, max_new_tokens: 6, do_sample: false });
  await model.dispose();
  return { outputs: Float32Array.from(logits.data), text: Array.from(text.data, Number) };
}

process.on('message', async (request) => {
  const answer = await run(request).catch((cause) => ({
    error: cause instanceof Error ? cause.message : String(cause),
  }));
  process.send(answer);
});
