import { NetBuilder, type NetSpec, seeded } from './make.ts';

/** Random nets that have every op; variance + epsilon is 9/4 or 1. */
export function smallNet(seed: number, scale = 1): NetSpec {
  const random = seeded(seed);
  const net = new NetBuilder([4, 4, 2], () => (random() * 2 - 1) * scale);
  const norm = () => net.batchNorm(0.25, { variance: () => (random() < 0.5 ? 2 : 0.75) });
  net.affine().conv(4, { groups: 2 });
  norm().relu();
  const stem = net.last;
  net.conv(4, { kernel: 1, padding: 0 });
  norm();
  net.sum(stem, net.last);
  if (seed % 4 === 1) norm();
  net.relu().avgPool(2);
  if (seed % 3 === 0) norm();
  if (seed % 2 === 0) net.conv(3, { stride: 2 }).relu().globalAvgPool();
  else net.flatten();
  net.dense(5);
  if (seed % 5 === 0) norm();
  return net.relu().dense(3).build();
}
