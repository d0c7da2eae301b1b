import { defineConfig } from 'vitest/config'
import lab from '../lab/vitest.config.ts'

/** Runs of the fleet that are disturbed at many points: what takes longest of all. */
export default defineConfig({ ...lab, test: { ...lab.test, include: ['spec/faults/{front,web,db}.spec.ts'] } })
