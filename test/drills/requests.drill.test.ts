import { testDrills } from './drill-tests.ts'
import { requestDrills } from './drills.ts'

testDrills(requestDrills)
