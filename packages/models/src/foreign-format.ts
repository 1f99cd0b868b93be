import { CertError } from '@cert/core';

/** A format in which other programs save networks, told by how its files begin. */
interface Format {
  readonly is: string;
  readonly cure: string;
  readonly begins: (bytes: Uint8Array) => boolean;
}

const TENSORS =
  'save its tensors with safetensors.torch.save_file and load them into a model with fromStateDict of @cert/interchange';
const LAYERS = 'convert it to the layers format of TensorFlow.js (tensorflowjs_converter --input_format keras)';

const at = (offset: number, ...expected: readonly number[]) => {
  return (bytes: Uint8Array) => expected.every((byte, i) => bytes[offset + i] === byte);
};

const FORMATS: readonly Format[] = [
  {
    is: 'a ZIP archive, as torch.save of PyTorch and Keras write it',
    cure: `From PyTorch, export the network to ONNX (torch.onnx.export), or ${TENSORS}. From Keras, ${LAYERS}.`,
    begins: at(0, 0x50, 0x4b, 0x03, 0x04),
  },
  {
    is: 'a pickle of Python, as torch.save of old versions of PyTorch writes it',
    cure: `Export the network to ONNX (torch.onnx.export), or ${TENSORS}.`,
    // The second byte is the protocol.
    begins: (bytes) => bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5,
  },
  {
    is: 'an HDF5 file, as Keras writes it',
    cure: `Use the model in Python: ${LAYERS}, or export it to ONNX (tf2onnx).`,
    begins: at(0, 0x89, 0x48, 0x44, 0x46),
  },
  {
    is: 'a TensorFlow Lite model',
    cure: `Use the model that it was made of: ${LAYERS}, or export it to ONNX (tf2onnx).`,
    begins: at(4, 0x54, 0x46, 0x4c, 0x33),
  },
  {
    is: 'compressed with gzip',
    cure: 'Decompress the file: gunzip.',
    begins: at(0, 0x1f, 0x8b),
  },
];

/** The header of a safetensors file begins with a brace, behind its length. Among lengths are the first bytes of other formats. */
const isHeader = at(8, 0x7b);

/** The error for a file of another program, which says how to bring the network here; `undefined` for bytes of no known format. */
export function foreignFormat(bytes: Uint8Array, source: string): CertError | undefined {
  if (isHeader(bytes)) return undefined;
  const format = FORMATS.find(({ begins }) => begins(bytes));
  return format && new CertError('bad-file', `${source} is ${format.is}, and not a safetensors file.`, format.cure);
}
