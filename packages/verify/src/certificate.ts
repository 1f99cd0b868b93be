import type { Perturbation } from '@cert/core';

/** Executions of the network for which a certificate claims the property; see `docs/certificates.md`. */
export type CertificateLevel = 'real' | 'deployed';

/** The network of a certificate: its file and the hashes of all tensors in use. Plain data. */
export interface CertifiedNetwork {
  /** Path of the file, relative to the certificate. */
  readonly path: string;
  /** A checkpoint of `@cert/models`, or an ONNX file. */
  readonly format: 'cert-safetensors' | 'onnx';
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
  /** SHA-256 of the bytes of each parameter and running statistic, or of each initializer, by its name in the file. */
  readonly tensors: { readonly [name: string]: string };
}

/** The input of a certificate. Plain data. */
export interface CertifiedInput {
  /** The shape of one example. */
  readonly shape: readonly number[];
  /** Its values, float32, little-endian, row-major, in base64. */
  readonly data: string;
  /** SHA-256 of these bytes, hexadecimal. */
  readonly sha256: string;
}

/** The least and the largest value of each number of an input, as exact decimals. */
export interface CertifiedBox {
  /** Least values. */
  readonly lower: readonly string[];
  /** Largest values. */
  readonly upper: readonly string[];
}

/** A split of a {@link TreeEvidence}: the tree of z >= 0 follows, then that of z <= 0, for the value z that the neuron's ReLU reads. */
export interface CertificateSplit {
  /** The name of the ReLU. */
  readonly relu: string;
  /** The place in its flattened shape, from 0. */
  readonly neuron: number;
}

/** A split of the box of a {@link TreeEvidence}: the tree of input <= at follows, then that of input >= at. */
export interface CertificateInputSplit {
  /** The place in the flattened input, from 0. */
  readonly input: number;
  /** The value, exactly: both sides hold it. */
  readonly at: number;
}

/** A leaf of a {@link TreeEvidence}: what shows, where its splits hold, that an inequality of the case does not. */
export interface CertificateLeaf {
  /** Which inequality of the case, from 0. */
  readonly row: number;
  /** 255 times the lower slope of each neuron of the evidence, a byte each, in base64. */
  readonly slopes: string;
  /** The multiplier of each split on a ReLU above the leaf, from the first one on: >= 0. */
  readonly multipliers: readonly number[];
}

/** Evidence of branch and bound over ReLUs or inputs. */
export interface TreeEvidence {
  readonly kind: 'tree';
  /** How values in between are bounded, before any ReLU is split, on the box of each leaf: see {@link BoxEvidence}. */
  readonly intermediate: 'ibp' | 'crown';
  /** The neurons that leaves have slopes for, in the order of these. All others have the usual ones. */
  readonly neurons: readonly { readonly relu: string; readonly neurons: readonly number[] }[];
  /** The tree of each case: of a label, of each other class in order. */
  readonly cases: readonly (readonly (CertificateSplit | CertificateInputSplit | CertificateLeaf)[])[];
}

/**
 * What lets a checker prove the property again. `ibp`: interval bound propagation. `linear`: one backward pass of linear relaxation with
 * intermediate bounds by interval bound propagation (`ibp`), or by the tighter ones of these and of a backward pass for each unstable neuron
 * (`crown`); an unstable ReLU has the lower slope 1 where its upper bound is larger than the size
 * of its lower bound, else 0. `tree`: branch and bound over ReLUs or inputs.
 */
export type BoxEvidence =
  | { readonly kind: 'ibp' }
  | {
      readonly kind: 'linear';
      /** How values in between are bounded. */
      readonly intermediate: 'ibp' | 'crown';
    }
  | TreeEvidence;

/** The evidence of a certificate: of its box or ball, or of each of its boxes. */
export type CertificateEvidence =
  | BoxEvidence
  | {
      readonly kind: 'boxes';
      /** One for each box, in order. */
      readonly boxes: readonly BoxEvidence[];
    };

/** A {@link TreeEvidence} in a file, where each split has the trees of its two sides. */
export interface CertifiedTrees {
  /** Branch and bound. */
  readonly kind: 'tree';
  /** How values in between are bounded. */
  readonly intermediate: 'ibp' | 'crown';
  /** The neurons that leaves have slopes for, by the name of their ReLU. */
  readonly neurons: { readonly [relu: string]: readonly number[] };
  /** The tree of each case. */
  readonly cases: readonly CertifiedTree[];
}

/** What a split has in a file. */
export interface CertifiedSides {
  /** The trees of z >= 0 and z <= 0, or of input <= at and input >= at. */
  readonly sides: readonly [CertifiedTree, CertifiedTree];
}

/** A leaf, or a split with the trees of its sides. */
export type CertifiedTree = CertificateLeaf | ((CertificateSplit | CertificateInputSplit) & CertifiedSides);

/** The evidence of one box in a file. */
export type CertifiedEvidence = Exclude<BoxEvidence, TreeEvidence> | CertifiedTrees;

/** A claim about one input of one network, with evidence. Plain data: the content of a `.cert.json` or `.cert.json.gz` file. */
export interface Certificate {
  /** The version of the format. */
  readonly format: 'cert-certificate-3';
  /** The network. */
  readonly network: CertifiedNetwork;
  /** The input; of boxes its shape alone. */
  readonly input: CertifiedInput | Pick<CertifiedInput, 'shape'>;
  /**
   * Which inputs; numbers as exact decimals or fractions. `linf` and `l2`: the ball around the input, clipped to the range. `boxes`: in any of
   * these boxes.
   */
  readonly perturbation:
    | {
        readonly kind: 'linf' | 'l2';
        readonly epsilon: string;
        readonly range: readonly [min: string, max: string] | null;
      }
    | { readonly kind: 'boxes'; readonly boxes: readonly CertifiedBox[] };
  /**
   * `label`: the logit of the label is larger than that of every other class. `linear`: at none of the inputs all inequalities of a case hold, which
   * say that coefficients times the logits is at most the bound.
   */
  readonly property:
    | { readonly kind: 'label'; readonly label: number; readonly classes: number }
    | {
        readonly kind: 'linear';
        readonly classes: number;
        readonly cases: readonly (readonly { readonly coefficients: readonly number[]; readonly bound: string }[])[];
      };
  /** Executions covered by the claim. */
  readonly level: CertificateLevel;
  /** Assumptions about these executions. */
  readonly assumptions: readonly string[];
  /** Evidence for the checker: of the ball, or of each box. */
  readonly evidence: readonly CertifiedEvidence[];
  /** For people. */
  readonly about: {
    /** Name of the verifier. */
    readonly method: string;
    /** Index of the example in the dataset, from 0. */
    readonly index?: number;
    /** Name of the dataset. */
    readonly dataset?: string;
  };
}

/** Options of `createCertificate`. */
export interface CertificateOptions extends Pick<Certificate, 'network' | 'level'> {
  /** Name of the verifier. */
  readonly method: string;
  /** What the verifier found. */
  readonly evidence: CertificateEvidence;
  /** The smallest proved lower margin. Not stored in the certificate, because no checker would trust it. */
  readonly margin: number;
  /** The input, row-major, in the data range. */
  readonly pixels: Float32Array;
  /** Its shape. */
  readonly shape: readonly number[];
  /** Label, from 0. */
  readonly label: number;
  /** Number of classes. */
  readonly classes: number;
  /** The set around the input. */
  readonly perturbation: Perturbation;
  /** For a regression: the prediction is within `delta` of `target`. Instead of `label`; default: none. */
  readonly tolerance?: { readonly target: number; readonly delta: number } | undefined;
  /** Source of the input; informational. */
  readonly source?: { readonly index: number; readonly dataset: string };
}
