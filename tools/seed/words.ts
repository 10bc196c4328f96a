/** What names and descriptions of the big catalogue are made of. */

/** Departments, what stands together in them, and the kinds of goods there are. Each is a category. */
export const departments: Record<string, Record<string, readonly string[]>> = {
  Furniture: {
    Seating: ['Chair', 'Stool', 'Bench', 'Armchair', 'Sofa'],
    Tables: ['Desk', 'Sideboard', 'Workbench', 'Nightstand', 'Trestle'],
    Storage: ['Shelf', 'Cabinet', 'Wardrobe', 'Drawer', 'Bookcase'],
    Bedroom: ['Bedstead', 'Mattress', 'Headboard', 'Daybed', 'Bunk'],
  },
  Tableware: {
    Plates: ['Platter', 'Saucer', 'Trencher', 'Charger', 'Tray'],
    Vessels: ['Bowl', 'Tureen', 'Carafe', 'Pitcher', 'Jug'],
    Cutlery: ['Fork', 'Spoon', 'Ladle', 'Skewer', 'Tongs'],
    Glasses: ['Tumbler', 'Goblet', 'Flute', 'Snifter', 'Decanter'],
  },
  Workshop: {
    'Hand Tools': ['Hammer', 'Chisel', 'Plane', 'Mallet', 'Screwdriver'],
    'Power Tools': ['Drill', 'Sander', 'Router', 'Jigsaw', 'Grinder'],
    Fasteners: ['Bolt', 'Hinge', 'Bracket', 'Clamp', 'Rivet'],
    Measuring: ['Caliper', 'Level', 'Ruler', 'Square', 'Gauge'],
  },
  Garden: {
    Digging: ['Spade', 'Shovel', 'Trowel', 'Mattock', 'Hoe'],
    Cutting: ['Secateurs', 'Shears', 'Scythe', 'Lopper', 'Sickle'],
    Watering: ['Hose', 'Sprinkler', 'Cistern', 'Nozzle', 'Barrel'],
    Growing: ['Planter', 'Trellis', 'Cloche', 'Propagator', 'Cold Frame'],
  },
  Clothing: {
    Outerwear: ['Parka', 'Anorak', 'Overcoat', 'Poncho', 'Raincoat'],
    Knitwear: ['Jumper', 'Cardigan', 'Pullover', 'Beanie', 'Mittens'],
    Footwear: ['Boots', 'Sandals', 'Loafers', 'Slippers', 'Clogs'],
    Trousers: ['Chinos', 'Breeches', 'Dungarees', 'Leggings', 'Shorts'],
  },
  Lighting: {
    Indoor: ['Lantern', 'Chandelier', 'Sconce', 'Spotlight', 'Downlight'],
    Portable: ['Torch', 'Headlamp', 'Candlestick', 'Flashlight', 'Beacon'],
    Shades: ['Lampshade', 'Diffuser', 'Reflector', 'Louvre', 'Blind'],
    Controls: ['Dimmer', 'Switch', 'Socket', 'Timer', 'Transformer'],
  },
  Sports: {
    Climbing: ['Rope', 'Harness', 'Carabiner', 'Helmet', 'Crampons'],
    Water: ['Kayak', 'Paddle', 'Wetsuit', 'Snorkel', 'Lifejacket'],
    Cycling: ['Saddle', 'Pannier', 'Handlebar', 'Pedal', 'Mudguard'],
    Camping: ['Tent', 'Hammock', 'Tarpaulin', 'Stove', 'Rucksack'],
  },
  Music: {
    Strings: ['Guitar', 'Violin', 'Ukulele', 'Banjo', 'Mandolin'],
    Winds: ['Clarinet', 'Oboe', 'Recorder', 'Bassoon', 'Piccolo'],
    Percussion: ['Drum', 'Cymbal', 'Marimba', 'Tambourine', 'Triangle'],
    Keys: ['Harmonium', 'Melodica', 'Celesta', 'Accordion', 'Keyboard'],
  },
}

export const qualities = [
  ...['Folding', 'Stacking', 'Heavy', 'Slim', 'Compact', 'Classic', 'Modern', 'Rustic', 'Quiet', 'Bright'],
  ...['Sturdy', 'Light', 'Wide', 'Narrow', 'Curved', 'Round', 'Tall', 'Low', 'Smooth', 'Handmade'],
]

export const materials = [
  ...['Oak', 'Beech', 'Walnut', 'Bamboo', 'Steel', 'Brass', 'Copper', 'Aluminium', 'Glass', 'Ceramic'],
  ...['Linen', 'Wool', 'Cotton', 'Leather', 'Cork', 'Felt', 'Slate', 'Marble', 'Rattan', 'Titanium'],
]

export const makers = [
  ...['Brauer', 'Ödegård', 'Lefèvre', 'Núñez', 'Kowalski', 'Novák', 'Okafor', 'Ferreira', 'Rossi', 'Jensen'],
  ...['Virtanen', 'Papadopoulos', 'Горький', '山田', '김', '李', 'Yılmaz', 'Szabó', 'Murphy', 'Haddad'],
]

/** Three of these make the name of a series. */
export const syllables = [
  ...['ba', 'co', 'da', 'fe', 'gi', 'ha', 'ka', 'lo', 'mi', 'no', 'pe', 'ra'],
  ...['sa', 'ti', 'vo', 'wen', 'xa', 'yor', 'zu', 'len', 'mar', 'tis', 'nel', 'quo'],
]

export const remarks = [
  'Made to be repaired: every part can be ordered on its own.',
  'Finished by hand, so that no two are quite alike.',
  'Tested for ten years of daily use.',
  'Comes flat in a box, with the key that is needed.',
  'Weatherproof, and at home on a balcony too.',
  'Washes well and does not fade in the sun.',
  'Small enough for a rucksack.',
  'Carries up to 120 kg.',
  'A present that nobody has already.',
  'Holds its edge for a long time.',
  'Packed without any plastic.',
  'Suits left hands and right hands alike.',
]
