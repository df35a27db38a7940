/** Where this machine keeps what direct volumes need. */
export interface DirectStore {
  /** The folder of the records of transfers, by which they are continued and copies are checked. */
  readonly records: string;
  /** The folder of locks. */
  readonly locks: string;
  /** The file that holds the disk of a snapshot of the embedded EC2. */
  diskOf(region: string, snapshot: string): string;
}
