import type { Attack } from '../attack/attack.js';
import type { Verifier } from '../verifier.js';

/** What has been prepared, for its owner to dispose. */
export type Kept = { dispose(): Promise<void> }[];

/** Whoever was lent something prepared leaves it as it is. */
const dispose = async () => {};

/** Prepares at the first call, and gives the same again at the next ones. */
function once<Given extends readonly unknown[], Made extends Kept[number]>(
  make: (...given: Given) => Made,
  kept: Kept,
): (...given: Given) => Made {
  let made: Made | undefined;
  return (...given) => {
    if (made === undefined) {
      made = make(...given);
      kept.push(made);
    }
    return made;
  };
}

/** A verifier that is compiled once, however often it is prepared and disposed: always for one model, set, level and device. */
export function keptVerifier(verifier: Verifier, kept: Kept): Verifier {
  const { on, soundOn, searchOn, ...described } = verifier;
  const plain = once(on.bind(verifier), kept);
  const sound = soundOn && once(soundOn.bind(verifier), kept);
  const searching = searchOn && once(searchOn.bind(verifier), kept);
  return {
    ...described,
    on(setting) {
      const prover = plain(setting);
      return { lowerMargins: (...given) => prover.lowerMargins(...given), dispose };
    },
    ...(sound && {
      soundOn(setting) {
        const prover = sound(setting);
        return { lowerMargins: (...given) => prover.lowerMargins(...given), dispose };
      },
    }),
    ...(searching && {
      searchOn(setting, arithmetic) {
        const search = searching(setting, arithmetic);
        return { search: (...given) => search.search(...given), dispose };
      },
    }),
  };
}

/** The same for an attack. A run that was cut short ends when another one begins in its place. */
export function keptAttack(attack: Attack, kept: Kept): Attack {
  const prepared = once(attack.on.bind(attack), kept);
  return {
    ...{ name: attack.name, points: attack.points, runs: (model) => attack.runs(model) },
    on(setting) {
      const attacker = prepared(setting);
      return {
        begin: (...given) => attacker.begin(...given),
        step: () => attacker.step(),
        visited: () => attacker.visited(),
        dispose,
      };
    },
  };
}
