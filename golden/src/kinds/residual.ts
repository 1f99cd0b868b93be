import { crown, crownIbp } from '@cert/bounds';
import { ownTolerance } from '../compare.js';
import type { Kind } from '../kind.js';
import { readNet } from '../net.js';
import { marginsBy } from './crown.js';
import { compareIbp, evaluateIbp } from './ibp.js';

/** Residual nets with running statistics, by IBP and by linear relaxation: `residual_resnet`, `residual_resnext`. */
export const residualEvaluation: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const net = readNet(file.get('net'), file.get('x'));
    const values = await evaluateIbp(file, net, device);
    compareIbp(file, net, values, to);
    const loss = file.get('robust_loss_ibp').number();
    to.add('robust_loss_ibp', values.robust_loss, loss, ownTolerance(file, 'margin_lower', loss));
    for (const [quantity, method] of [
      ['crown_ibp_margin_lower', crownIbp],
      ['crown_margin_lower', crown()],
    ] as const) {
      const { lower } = await marginsBy(method, { file, base: file, net, device });
      const expected = file.get(quantity).tensor();
      to.add(quantity, lower, expected, ownTolerance(file, quantity, expected));
    }
  },
};
