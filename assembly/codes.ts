// Nearest codes for given scales, and their loss.
import { blockOf, firstOf, lanes4, loadAll, NOTES, SCALES, stepsOf, together, ZEROS } from './blocks';
import { addLoss, noLoss, placeOf, takeBlock } from './take';

export function takeCodes(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32, bits: i32,
  stride: i32, scale: usize, zero: usize, work: usize,
  out: usize, outAlong: i32, outAcross: i32, packed: bool,
): void {
  const blocks = (inputs + block - 1) / block;
  const size = <usize>block << 4;
  noLoss();
  const last = stepsOf(outputs, along, blocks);
  for (let step = 0; step < last; step++) {
    const index = blockOf(step, outputs, along, blocks);
    const first = firstOf(step, outputs, along, blocks);
    const start = index * block;
    const length = min(block, inputs - start);
    let tile = work + NOTES;
    loadAll(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, tile, size);
    const end = min(outputs, first + together(along));
    for (let four = first; four < end; four += 4, tile += size) {
      const count = min(4, outputs - four);
      v128.store(work, lanes4(scale, outputs, four, stride, index, work), SCALES);
      v128.store(work, f32x4.splat(<f32>(1 << (bits - 1))), ZEROS);
      if (zero != 0) {
        for (let lane = 0; lane < count; lane++) {
          const at = <usize>(four + lane) * <usize>stride + <usize>index;
          store<f32>(work + (<usize>lane << 2), <f32>load<u8>(zero + at), ZEROS);
        }
      }
      const to = out + placeOf(four, start, bits, outAlong, outAcross, packed);
      takeBlock(work, tile, length, block, bits, count, to, outAlong, outAcross, packed);
      addLoss(work);
    }
  }
}
