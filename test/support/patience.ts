/** How long tests wait for what must come, in ms: long, for a busy machine; short where it is known that it will not. */
const GIVEN = process.env['LEXORA_TEST_PATIENCE_MS']

export const PATIENCE_MS = GIVEN === undefined ? 20_000 : Number(GIVEN)
