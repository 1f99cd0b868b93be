import { Option } from 'commander';

/** An option whose values have names, which the shell can complete. */
export class NameOption extends Option {
  constructor(
    flags: string,
    description: string,
    /** The names. */
    readonly names: readonly string[],
  ) {
    super(flags, description);
  }
}
