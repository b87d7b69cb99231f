/**
 * Signs the manifests of a feed, so that installed Lexoras believe them.
 *
 *   node packaging/sign-feed.mjs new KEYFILE      makes a key and prints the public half, for LEXORA_UPDATE_KEY
 *   node packaging/sign-feed.mjs KEYFILE FOLDER   writes FOLDER/latest*.yml.sig beside each FOLDER/latest*.yml
 *
 * Put the folder's installers, manifests and signatures on a server as they are. Whoever has KEYFILE can replace every
 * Lexora that follows the feed: keep it off that server.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [first, second] = process.argv.slice(2)
if (first === undefined || second === undefined) {
  process.stderr.write('usage: node packaging/sign-feed.mjs new KEYFILE | KEYFILE FOLDER\n')
  process.exitCode = 2
} else if (first === 'new') makeKey(second)
else signAll(createPrivateKey(readFileSync(first)), second)

function makeKey(path) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  process.stdout.write(`${printed(publicKey)}\n`)
}

function signAll(key, folder) {
  const names = readdirSync(folder).filter((name) => /^latest.*\.yml$/.test(name))
  if (names.length === 0) throw new Error(`${folder} holds no latest*.yml`)
  for (const name of names) {
    const text = Buffer.concat([Buffer.from(`lexora update\n${name}\n`), readFileSync(join(folder, name))])
    writeFileSync(join(folder, `${name}.sig`), `${sign(null, text, key).toString('base64')}\n`)
    process.stdout.write(`${name}: signed for ${printed(createPublicKey(key))}\n`)
  }
}

function printed(publicKey) {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64')
}
