export type Shelf = {
  readonly category: string
  readonly products: readonly {
    /** The stock keeping unit, unique. */
    readonly sku: string
    readonly name: string
    readonly description: string
    /** Euro cents. */
    readonly price: number
    /** How many the shop begins with. */
    readonly stock: number
  }[]
}

/** The development catalogue: eight shelves of believable goods. Prices in euro cents. */
export const catalogue: readonly Shelf[] = [
  {
    category: 'Kitchen',
    products: [
      {
        sku: 'KIT-0001',
        name: 'Cast Iron Skillet 26 cm',
        description:
          'Pre-seasoned cast iron pan with two pouring lips. Suits all hobs and the oven, for searing and baking.',
        price: 3490,
        stock: 140,
      },
      {
        sku: 'KIT-0002',
        name: 'Chef Knife 20 cm',
        description:
          'Stainless steel blade with a riveted ash handle. For chopping vegetables, slicing meat and mincing herbs.',
        price: 4950,
        stock: 95,
      },
      {
        sku: 'KIT-0003',
        name: 'End-Grain Cutting Board',
        description:
          'Oak board, 40 by 30 cm and 4 cm thick, with a juice groove. Rubber feet keep it still on the worktop.',
        price: 5900,
        stock: 70,
      },
      {
        sku: 'KIT-0004',
        name: 'Mixing Bowl Set of Three',
        description:
          'Stainless steel bowls of 1.5, 3 and 5 litres that nest. Silicone bases stop them sliding as you whisk.',
        price: 2999,
        stock: 160,
      },
      {
        sku: 'KIT-0005',
        name: 'Digital Kitchen Scale 5 kg',
        description:
          'Flat glass scale that weighs up to 5 kg in steps of 1 g. Includes a tare key and runs on two AAA batteries.',
        price: 1890,
        stock: 210,
      },
      {
        sku: 'KIT-0006',
        name: 'Silicone Spatula',
        description: 'One-piece spatula, 28 cm long, heat resistant to 220 degrees. Does not scratch coated pans.',
        price: 690,
        stock: 420,
      },
      {
        sku: 'KIT-0007',
        name: 'Enamel Stockpot 8 L',
        description:
          'Enamelled steel pot with lid and two side handles. Large enough for stock, pasta or a batch of jam.',
        price: 5499,
        stock: 48,
      },
      {
        sku: 'KIT-0008',
        name: 'Fine Zest Grater',
        description:
          'Etched 22 cm steel blade with a soft-grip handle. For citrus zest, hard cheese, ginger and nutmeg.',
        price: 1490,
        stock: 185,
      },
      {
        sku: 'KIT-0009',
        name: 'Linen Tea Towel, Pack of 2',
        description: 'Two half-linen towels, 50 by 70 cm, with a hanging loop. They dry glasses without leaving lint.',
        price: 1650,
        stock: 300,
      },
    ],
  },
  {
    category: 'Coffee & Tea',
    products: [
      {
        sku: 'COF-0001',
        name: 'Glass Pour-Over Dripper',
        description:
          'Borosilicate glass cone for one to three cups, with a cork collar. Takes standard size 2 paper filters.',
        price: 2490,
        stock: 110,
      },
      {
        sku: 'COF-0002',
        name: 'Paper Filters Size 2, 100 Pieces',
        description:
          'Unbleached paper filters with a double-crimped seam. One box holds 100 pieces and fits most cone drippers.',
        price: 390,
        stock: 500,
      },
      {
        sku: 'COF-0003',
        name: 'Manual Burr Grinder',
        description:
          'Hand grinder with conical steel burrs and 18 settings, from espresso to French press. Holds 25 g of beans.',
        price: 6900,
        stock: 62,
      },
      {
        sku: 'COF-0004',
        name: 'Gooseneck Kettle 0.9 L',
        description:
          'Brushed steel kettle with a narrow spout for slow, even pouring. Works on gas, ceramic and induction hobs.',
        price: 4599,
        stock: 80,
      },
      {
        sku: 'COF-0005',
        name: 'French Press 1 L',
        description:
          'Heat-resistant glass jug in a steel frame, with a fine mesh plunger. Makes about eight small cups.',
        price: 2950,
        stock: 130,
      },
      {
        sku: 'COF-0006',
        name: 'House Blend Coffee Beans 500 g',
        description: 'Medium roast of arabica beans from Brazil and Guatemala, with notes of hazelnut and cocoa.',
        price: 1290,
        stock: 350,
      },
      {
        sku: 'COF-0007',
        name: 'Single Origin Espresso Beans 1 kg',
        description:
          'Dark roasted whole beans from a cooperative in Ethiopia. Suited to espresso machines and moka pots.',
        price: 2699,
        stock: 4,
      },
      {
        sku: 'COF-0008',
        name: 'Cast Iron Teapot 0.8 L',
        description:
          'Cast iron pot, enamelled inside, with a removable steel strainer. Keeps tea warm for about an hour.',
        price: 3990,
        stock: 55,
      },
      {
        sku: 'COF-0009',
        name: 'Loose Green Tea 100 g',
        description:
          'Steamed green tea leaves with a mild, grassy taste, packed in a resealable tin. Enough for roughly 40 cups.',
        price: 950,
        stock: 240,
      },
    ],
  },
  {
    category: 'Office',
    products: [
      {
        sku: 'OFF-0001',
        name: 'Dotted Notebook A5',
        description:
          'Hardcover notebook with 192 numbered pages of 100 g dotted paper. It opens flat and has two ribbon markers.',
        price: 1450,
        stock: 380,
      },
      {
        sku: 'OFF-0002',
        name: 'Gel Pen 0.5 mm, Pack of 6',
        description:
          'Six retractable gel pens with quick-drying black ink and a soft grip. The refills can be replaced.',
        price: 799,
        stock: 460,
      },
      {
        sku: 'OFF-0003',
        name: 'Adjustable Desk Lamp',
        description:
          'LED lamp with two joints, three colour temperatures, five brightness levels and a USB charging port.',
        price: 4490,
        stock: 90,
      },
      {
        sku: 'OFF-0004',
        name: 'Aluminium Laptop Stand',
        description:
          'Raises a laptop by 12 to 18 cm and carries up to 8 kg. Folds flat into the cloth sleeve provided.',
        price: 3250,
        stock: 150,
      },
      {
        sku: 'OFF-0005',
        name: 'Wool Felt Desk Mat',
        description:
          'Pressed wool felt, 80 by 35 cm, with a cork underside. A quiet, warm surface for keyboard and mouse.',
        price: 2790,
        stock: 120,
      },
      {
        sku: 'OFF-0006',
        name: 'Mesh Office Chair',
        description: 'Swivel chair with a breathable back, adjustable arms and lumbar support. Carries up to 120 kg.',
        price: 24900,
        stock: 24,
      },
      {
        sku: 'OFF-0007',
        name: 'Full-Strip Stapler',
        description:
          'Metal stapler for up to 25 sheets, using standard 24/6 staples. A box of 1000 staples is included.',
        price: 1190,
        stock: 200,
      },
      {
        sku: 'OFF-0008',
        name: 'Letter Tray, Stackable',
        description:
          'Powder-coated steel tray for A4 paper and folders. Several trays stack without tools, straight or offset.',
        price: 1299,
        stock: 175,
      },
      {
        sku: 'OFF-0009',
        name: 'Sticky Notes, 12 Pads',
        description:
          'Twelve pads of 100 sheets each, 76 by 76 mm, in four muted colours. They lift off without leaving residue.',
        price: 550,
        stock: 490,
      },
    ],
  },
  {
    category: 'Audio',
    products: [
      {
        sku: 'AUD-0001',
        name: 'Over-Ear Headphones, Closed',
        description: 'Wired headphones with 40 mm drivers, replaceable velour ear pads and a detachable 1.8 m cable.',
        price: 8900,
        stock: 75,
      },
      {
        sku: 'AUD-0002',
        name: 'Wireless Earbuds',
        description:
          'Seven hours of playback, and three more charges in the case. Splash resistant, with four tip sizes.',
        price: 5999,
        stock: 220,
      },
      {
        sku: 'AUD-0003',
        name: 'Portable Speaker',
        description:
          'Compact wireless speaker with a carrying loop. Plays for twelve hours and withstands rain and dust.',
        price: 7490,
        stock: 135,
      },
      {
        sku: 'AUD-0004',
        name: 'Bookshelf Speakers, Pair',
        description:
          'Passive two-way speakers in walnut veneer with a 13 cm woofer. Suits rooms up to 25 square metres.',
        price: 32900,
        stock: 22,
      },
      {
        sku: 'AUD-0005',
        name: 'Belt-Drive Turntable',
        description:
          'Two-speed record player with built-in phono stage, adjustable counterweight, felt mat and dust cover.',
        price: 27500,
        stock: 0,
      },
      {
        sku: 'AUD-0006',
        name: 'USB Condenser Microphone',
        description: 'Cardioid microphone for calls, podcasts and voice recording, with a mute key and a table stand.',
        price: 6450,
        stock: 88,
      },
      {
        sku: 'AUD-0007',
        name: 'Kitchen Radio',
        description:
          'Digital and FM radio with ten presets, a sleep timer and an alarm. Runs on mains or four AA batteries.',
        price: 5490,
        stock: 100,
      },
      {
        sku: 'AUD-0008',
        name: 'Headphone Stand in Beech',
        description: 'Solid beech stand on a weighted steel base, 27 cm high, with a groove at the back for the cable.',
        price: 2290,
        stock: 145,
      },
      {
        sku: 'AUD-0009',
        name: 'Braided Audio Cable 1.5 m',
        description:
          'Cable with two 3.5 mm stereo plugs and a braided textile jacket. Connects phones, speakers and car radios.',
        price: 899,
        stock: 400,
      },
    ],
  },
  {
    category: 'Outdoor',
    products: [
      {
        sku: 'OUT-0001',
        name: 'Two-Person Trekking Tent',
        description:
          'Free-standing dome tent with two entrances and a full rain fly. Weighs 2.3 kg and packs to 45 by 15 cm.',
        price: 21900,
        stock: 28,
      },
      {
        sku: 'OUT-0002',
        name: 'Three-Season Sleeping Bag',
        description: 'Synthetic bag for nights down to 2 degrees, with a two-way zip. Fits people up to 190 cm tall.',
        price: 8990,
        stock: 60,
      },
      {
        sku: 'OUT-0003',
        name: 'Folding Camping Chair',
        description: 'Aluminium frame with a ripstop seat for up to 120 kg. Packs to 36 cm and weighs just over 1 kg.',
        price: 4499,
        stock: 125,
      },
      {
        sku: 'OUT-0004',
        name: 'Insulated Bottle 0.75 L',
        description:
          'Double-walled steel keeps drinks hot for 12 hours or cold for 24. The wide neck is easy to clean.',
        price: 2450,
        stock: 310,
      },
      {
        sku: 'OUT-0005',
        name: 'Rechargeable Headlamp',
        description:
          '350 lumens, a red night mode and a tilting head. Charges by USB-C and runs up to 40 hours on low.',
        price: 3690,
        stock: 170,
      },
      {
        sku: 'OUT-0006',
        name: 'Daypack 22 L',
        description:
          'Recycled nylon with a ventilated back, a rain cover and two bottle pockets. For day hikes and cycling.',
        price: 6900,
        stock: 85,
      },
      {
        sku: 'OUT-0007',
        name: 'Compact Gas Stove',
        description:
          'Screw-on burner with folding pot supports and a piezo igniter. Boils a litre in about four minutes.',
        price: 3299,
        stock: 64,
      },
      {
        sku: 'OUT-0008',
        name: 'Waterproof Picnic Blanket',
        description:
          'Fleece blanket, 200 by 150 cm, with a coated underside that keeps out damp. Rolls up with a carrying strap.',
        price: 2790,
        stock: 195,
      },
      {
        sku: 'OUT-0009',
        name: 'Guy Rope Set, Reflective',
        description:
          'Four reflective ropes of 4 m each with aluminium tensioners. For tents, tarps and awnings in windy places.',
        price: 1050,
        stock: 260,
      },
    ],
  },
  {
    category: 'Home',
    products: [
      {
        sku: 'HOM-0001',
        name: 'Stonewashed Linen Duvet Cover',
        description:
          'Linen cover, 140 by 200 cm, with hidden wooden buttons. Soft to the touch and washable at 40 degrees.',
        price: 9900,
        stock: 65,
      },
      {
        sku: 'HOM-0002',
        name: 'Wool Throw 130 by 180 cm',
        description:
          'Woven lambswool throw in a herringbone pattern with short fringes. For cool evenings on the sofa.',
        price: 7450,
        stock: 72,
      },
      {
        sku: 'HOM-0003',
        name: 'Cotton Bath Towel',
        description: 'Combed cotton terry, 70 by 140 cm, 550 g per square metre. Absorbs well and keeps its shape.',
        price: 1999,
        stock: 340,
      },
      {
        sku: 'HOM-0004',
        name: 'Soy Wax Candle, Cedar',
        description:
          'Soy wax with a cotton wick in a reusable glass jar. Smells of cedar and sage, burns about 40 hours.',
        price: 1690,
        stock: 230,
      },
      {
        sku: 'HOM-0005',
        name: 'Wicker Laundry Basket',
        description:
          'Hand-woven willow with a lid and a removable cotton lining. Holds 60 litres, about two machine loads.',
        price: 5490,
        stock: 58,
      },
      {
        sku: 'HOM-0006',
        name: 'Oak Wall Shelf 80 cm',
        description:
          'Oiled oak board, 80 by 20 cm, with two steel brackets and fixings. Carries up to 15 kg on a solid wall.',
        price: 4250,
        stock: 105,
      },
      {
        sku: 'HOM-0007',
        name: 'Silent Wall Clock 30 cm',
        description:
          'Round wall clock with a sweeping movement that does not tick. Metal frame, clear numerals, one AA battery.',
        price: 2899,
        stock: 115,
      },
      {
        sku: 'HOM-0008',
        name: 'Two-Seat Sofa Cover',
        description: 'Stretch cover for sofas from 140 to 180 cm wide. Machine washable, held in place by foam strips.',
        price: 3990,
        stock: 90,
      },
      {
        sku: 'HOM-0009',
        name: 'Beeswax Furniture Polish 250 ml',
        description:
          'Paste of beeswax and linseed oil for untreated and oiled wood. Feeds the surface and leaves a matt finish.',
        price: 1250,
        stock: 190,
      },
    ],
  },
  {
    category: 'Books',
    products: [
      {
        sku: 'BOO-0001',
        name: 'The Salt Road North',
        description:
          'Novel by Ingrid Valmere. Two sisters follow an abandoned trade route to find the father who left them.',
        price: 1490,
        stock: 150,
      },
      {
        sku: 'BOO-0002',
        name: 'From Plank to Pylon',
        description:
          'Non-fiction by Tobias Renwald. How people have bridged rivers, from rope to steel, with 60 drawings.',
        price: 2200,
        stock: 90,
      },
      {
        sku: 'BOO-0003',
        name: 'Bread on Weekdays',
        description:
          'Cookbook by Marisol Antequin. Fifty loaves and rolls that fit around a working day, with timetables.',
        price: 2690,
        stock: 120,
      },
      {
        sku: 'BOO-0004',
        name: 'The Clockmaker of Lantern Street',
        description:
          'Crime novel by Edmund Hathersby. A clock repairer finds a confession hidden in a mantel clock from 1911.',
        price: 1199,
        stock: 210,
      },
      {
        sku: 'BOO-0005',
        name: 'Small Gardens, Good Soil',
        description:
          'Guide by Petra Lindqvale to growing vegetables in beds, tubs and window boxes, arranged by month.',
        price: 1950,
        stock: 135,
      },
      {
        sku: 'BOO-0006',
        name: 'Learning to Draw Slowly',
        description: 'Workbook by Haruki Tanabashi. Forty exercises in line, shade and perspective, half an hour each.',
        price: 1799,
        stock: 165,
      },
      {
        sku: 'BOO-0007',
        name: 'Nine Nights on the Harbour',
        description:
          'Short stories by Clodagh Merriven, set in one port town over a single winter. Paperback, 224 pages.',
        price: 1099,
        stock: 5,
      },
      {
        sku: 'BOO-0008',
        name: 'The Fox Who Kept the Time',
        description:
          'Picture book by Lena Oswaldt, ages three to six. A fox wakes the forest each day until he oversleeps.',
        price: 1350,
        stock: 280,
      },
      {
        sku: 'BOO-0009',
        name: 'Numbers for the Curious',
        description: 'Popular mathematics by Adewale Okonjide. Twenty short chapters on chance, patterns and proof.',
        price: 1690,
        stock: 110,
      },
    ],
  },
  {
    category: 'Toys & Games',
    products: [
      {
        sku: 'TOY-0001',
        name: 'Wooden Building Blocks, 80 Pieces',
        description: 'Beech blocks in eight shapes, some stained in water-based colours. For children from one year.',
        price: 3490,
        stock: 130,
      },
      {
        sku: 'TOY-0002',
        name: 'Jigsaw Puzzle 1000 Pieces, Harbour',
        description: 'A fishing harbour at dusk, 68 by 48 cm when finished. Made of thick recycled board.',
        price: 1599,
        stock: 180,
      },
      {
        sku: 'TOY-0003',
        name: 'Travel Chess Set',
        description:
          'Folding wooden board, 25 by 25 cm, with magnetic pieces that store inside. Suits trains and tents.',
        price: 2490,
        stock: 95,
      },
      {
        sku: 'TOY-0004',
        name: 'Marble Run Starter Kit',
        description:
          '48 track parts and 12 glass marbles for building ramps, loops and drops. For children from four years.',
        price: 4290,
        stock: 77,
      },
      {
        sku: 'TOY-0005',
        name: 'Playing Cards, Linen Finish',
        description:
          'Standard deck of 52 cards and two jokers with a linen finish that shuffles smoothly. Packed in a tuck box.',
        price: 450,
        stock: 480,
      },
      {
        sku: 'TOY-0006',
        name: 'Plush Hedgehog 25 cm',
        description: 'Soft hedgehog with embroidered eyes and polyester filling. Machine washable at 30 degrees.',
        price: 1890,
        stock: 205,
      },
      {
        sku: 'TOY-0007',
        name: 'Barn and Barley Board Game',
        description:
          'Strategy game for two to four players from ten years. Plan fields and trade crops in about 60 minutes.',
        price: 3699,
        stock: 68,
      },
      {
        sku: 'TOY-0008',
        name: 'Watercolour Set for Children',
        description:
          'Twelve washable pans, two brushes and a mixing tray in a metal tin. Takes standard round refills.',
        price: 990,
        stock: 250,
      },
      {
        sku: 'TOY-0009',
        name: 'Wooden Balance Bike',
        description:
          'Birch plywood with 12 inch air tyres and an adjustable saddle. For children from two years, up to 30 kg.',
        price: 7900,
        stock: 42,
      },
    ],
  },
]
