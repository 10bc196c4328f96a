import { testDrills } from './drill-tests.ts'
import { eventDrills } from './drills.ts'

testDrills(eventDrills)
