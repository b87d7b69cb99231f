import './compat.ts'
import './held.ts'
import '../../../src/shell/main.ts'
