package world

import "slices"

// Role says what a name is within a full name.
type Role int

// Roles of names.
const (
	Given Role = iota
	Middle
	Father      // the father's given name, as a part of one's own
	Grandfather // the same of the grandfather
	Family
	Mother // the mother's family name
)

// part is one name of a person.
type part struct {
	role  Role
	group *group
	kind  string // of the pool that it is from; empty for a name before the name, such as Md.
	// inherited marks what brothers and sisters share: besides families also patronymics,
	// which are middle names, and Chinese names of a generation.
	inherited bool
}

// maker draws the names of one person.
type maker struct {
	*dice
	tradition *tradition
	origin    origin
	female    bool
	parts     []part
}

// draw takes a name from a pool by its frequency.
func (m *maker) draw(role Role, kind string, female bool) {
	pool := m.tradition.stock.pool(kind, female, m.origin.code)
	for {
		g := pool[m.rank(len(pool), 2)]
		// Nobody bears one name twice.
		if !slices.ContainsFunc(m.parts, func(p part) bool { return p.group == g }) {
			m.parts = append(m.parts, part{role, g, kind, role >= Father})
			return
		}
	}
}

// prefix puts the most frequent name of men before the others.
func (m *maker) prefix() {
	m.parts = append(m.parts, part{role: Middle, group: m.tradition.stock.pool("given", false, m.origin.code)[0]})
}

func (m *maker) given()       { m.draw(Given, "given", m.female) }
func (m *maker) middle()      { m.draw(Middle, "middle", m.female) }
func (m *maker) father()      { m.draw(Father, "given", false) }
func (m *maker) grandfather() { m.draw(Grandfather, "given", false) }
func (m *maker) family()      { m.draw(Family, "family", m.female) }

// percent is true in so many cases of a hundred.
func (m *maker) percent(n int) bool { return m.below(100) < n }

func familyLast(m *maker) {
	m.given()
	m.family()
}

func familyFirst(m *maker) {
	m.family()
	m.given()
}

func fatherLast(m *maker) {
	m.given()
	m.father()
}

// arabicName is one's own name, the father's, often the grandfather's, mostly a family's.
func arabicName(m *maker) {
	m.given()
	m.father()
	family := m.percent(80)
	if !family || m.percent(40) {
		m.grandfather()
	}
	if family {
		m.family()
	}
}

// persianName: Afghans often have a single name or two given names.
func persianName(m *maker) {
	m.given()
	if m.origin.code == "AF" {
		switch m.share(20, 25, 55) {
		case 0:
		case 1:
			m.given()
		default:
			m.family()
		}
		return
	}
	if !m.female && m.percent(20) {
		m.given()
	}
	m.family()
}

func slavicName(m *maker) {
	m.given()
	m.middle()
	m.parts[1].inherited = true
	m.family()
}

func vietnameseName(m *maker) {
	m.family()
	m.middle()
	if m.percent(20) {
		m.middle()
	}
	m.given()
}

func burmeseName(m *maker) {
	for range 1 + m.share(5, 35, 45, 15) {
		m.given()
	}
}

// bengaliName: many Muslim men bear Mohammad, mostly written Md, before the name.
func bengaliName(m *maker) {
	if m.origin.code == "BD" && !m.female && m.percent(35) {
		m.prefix()
	}
	m.given()
	if m.origin.code == "IN" && m.percent(40) {
		m.middle()
	}
	m.family()
}

func hindiName(m *maker) {
	m.given()
	if m.percent(45) {
		m.middle()
	}
	m.family()
}

func urduName(m *maker) {
	if !m.female && m.percent(40) {
		m.prefix()
	}
	m.given()
	if m.percent(85) {
		m.family()
	} else {
		m.given()
	}
}

func somaliName(m *maker) {
	m.given()
	m.father()
	m.grandfather()
}

func ethiopianName(m *maker) {
	m.given()
	m.father()
	if m.percent(40) {
		m.grandfather()
	}
}

// chineseName: in many families all of a generation share the first of two characters.
func chineseName(m *maker) {
	m.family()
	m.given()
	if m.percent(75) {
		m.given()
		m.parts[1].inherited = m.percent(40)
	}
}

func westAfricanName(m *maker) {
	m.given()
	if m.percent(20) || m.origin.code == "GH" && m.percent(40) {
		m.given()
	}
	m.family()
}

func europeanName(m *maker) {
	m.given()
	if m.percent(35) {
		m.draw(Middle, "given", m.female)
	}
	m.family()
}

// latinAmericanName has two families: in Spanish the father's first, in Portuguese last.
func latinAmericanName(m *maker) {
	m.given()
	if m.percent(55) {
		m.draw(Middle, "given", m.female)
	}
	two := m.percent(90)
	if two && m.origin.code == "BR" {
		m.draw(Mother, "family", m.female)
	}
	m.family()
	if two && m.origin.code != "BR" {
		m.draw(Mother, "family", m.female)
	}
}

// indonesianName: many have a single name, and none of the others is a family's; Malays bear
// the father's name.
func indonesianName(m *maker) {
	m.given()
	if m.origin.code == "MY" {
		if m.percent(30) {
			m.given()
		}
		m.father()
		return
	}
	if m.percent(25) {
		return
	}
	m.draw(Given, "family", m.female)
	if m.percent(25) {
		m.draw(Middle, "given", m.female)
	}
}
