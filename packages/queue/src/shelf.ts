/** What reads and writes files by names, which are hashes. */
export interface Shelf {
  /** For messages, without a secret. */
  readonly name: string;
  /** @throws CertError if it cannot be read */
  read(sha256: string): Promise<Uint8Array>;
  /** Writes a file as a whole or not at all, unless it is there. @throws CertError if it cannot be written */
  write(sha256: string, bytes: Uint8Array): Promise<void>;
}
