/** The files that the build puts into the page. */
import { parseIdxSplit, type Split } from '@cert/datasets';
import { type DecodedCheckpoint, decodeCheckpoint } from '@cert/models';
import certified from '../networks/certified.safetensors?inline';
import images from '../networks/digits-images.idx?inline';
import labels from '../networks/digits-labels.idx?inline';
import plain from '../networks/plain.safetensors?inline';

/** The bytes of a `data:` address. */
const bytesOf = (address: string): Uint8Array =>
  Uint8Array.from(atob(address.slice(address.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));

/** A trained network; its checksum was compared. */
export const checkpoints = (): { readonly certified: DecodedCheckpoint; readonly plain: DecodedCheckpoint } => ({
  certified: decodeCheckpoint(bytesOf(certified), 'certified.safetensors'),
  plain: decodeCheckpoint(bytesOf(plain), 'plain.safetensors'),
});

/** The first digits of the test set, which no network was trained on. */
export const testDigits = (): Split =>
  parseIdxSplit(
    {
      images: { name: 'digits-images.idx', bytes: bytesOf(images) },
      labels: { name: 'digits-labels.idx', bytes: bytesOf(labels) },
    },
    10,
  );
