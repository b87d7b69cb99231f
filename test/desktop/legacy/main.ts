import './compat.ts'
import '../../../src/shell/main.ts'
