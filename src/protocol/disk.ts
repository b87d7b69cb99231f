/** With less than this a disk counts as nearly full, for the doctor and for notifications alike. */
export const LITTLE_DISK_BYTES = 5 * 1024 ** 3
