import { mkdirSync, writeFileSync } from 'node:fs'
import { packagedUnit } from '../src/app/service/systemd.ts'

/** Writes resources/systemd/lexora.service, the unit that packages bring. Packages of Linux lie in /opt. */
const folder = new URL('../resources/systemd/', import.meta.url)
mkdirSync(folder, { recursive: true })
writeFileSync(new URL('lexora.service', folder), packagedUnit('/opt/Lexora'))
