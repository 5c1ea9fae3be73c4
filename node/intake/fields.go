package intake

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"entente/protocol/indicator"
)

// field is one thing that a column can hold.
type field uint8

const (
	fieldValue field = iota
	fieldCountry
	fieldPlatform
	fieldIssuer
	fieldScheme
	fieldVariants
	fieldBorn
	fieldModel
	fieldCategory
	fieldOffence
	fieldPurpose
	fieldBasis
	fieldMinor
	fieldProtected
	fieldNeverWith
	fieldFirstObserved
	fieldLastObserved
	fieldSource
	fieldInformation
	fieldCodes
	fieldCase
	fieldExpires
	fieldCount
)

// definition is how a field is named by us and by the headers that agencies use.
// Headers are compared after fold, so "Source_Evaluation" is "source evaluation".
type definition struct {
	name     string
	kinds    []indicator.Kind // that the field completes; nil means all
	synonyms []string
}

// definitions is indexed by field. The value's synonyms depend on the kind and are in
// valueNames.
func definitions() [fieldCount]definition {
	return [fieldCount]definition{
		fieldValue: {name: "value"},
		fieldCountry: {"country", []indicator.Kind{indicator.Phone},
			[]string{"country", "default country", "phone country", "country code", "negara", "ประเทศ", "quốc gia", "pays", "país", "国家", "البلد"}},
		fieldPlatform: {"platform", []indicator.Kind{indicator.Handle, indicator.Wallet},
			[]string{"platform", "service", "network", "app", "chain", "blockchain", "social network", "messenger", "แพลตฟอร์ม", "nền tảng", "平台"}},
		fieldIssuer: {"issuer", []indicator.Kind{indicator.Document},
			[]string{"issuer", "issuing country", "country of issue", "issuing state", "issued by", "negara penerbit", "ประเทศที่ออก", "nước cấp", "签发国"}},
		fieldScheme: {"scheme", []indicator.Kind{indicator.Account},
			[]string{"scheme", "account scheme", "bank scheme", "payment scheme"}},
		fieldVariants: {"variants", []indicator.Kind{indicator.Person},
			[]string{"variants", "variant", "alias", "aliases", "aka", "a k a", "also known as", "other names", "other name", "name variants", "nama lain", "nama samaran",
				"ชื่ออื่น", "tên khác", "autres noms", "otros nombres", "别名", "曾用名", "الأسماء الأخرى", "другие имена"}},
		fieldBorn: {"born", []indicator.Kind{indicator.Person},
			[]string{"born", "date of birth", "dob", "birth date", "birthdate", "birthday", "year of birth", "yob", "tanggal lahir", "tgl lahir", "tarikh lahir", "วันเกิด", "ngày sinh",
				"date de naissance", "fecha de nacimiento", "geburtsdatum", "出生日期", "生年月日", "생년월일", "تاريخ الميلاد", "تاریخ تولد", "дата рождения"}},
		fieldModel: {"model", []indicator.Kind{indicator.Face},
			[]string{"model", "model id", "model name", "embedding model", "face model", "modèle", "modelo", "แบบจำลอง", "mô hình", "模型", "النموذج", "модель"}},
		fieldCategory:      {"category", nil, []string{"category", "person category", "kategori", "ประเภท", "catégorie", "categoría"}},
		fieldOffence:       {"offence", nil, []string{"offence", "offense", "offence code", "offense code", "crime code"}},
		fieldPurpose:       {"purpose", nil, []string{"purpose", "purpose of processing"}},
		fieldBasis:         {"basis", nil, []string{"basis", "legal basis", "legal basis id"}},
		fieldMinor:         {"minor", nil, []string{"minor", "is minor", "under 18", "child", "juvenile"}},
		fieldProtected:     {"protected", nil, []string{"protected", "is protected", "protected person", "asylum", "refugee", "asylum seeker"}},
		fieldNeverWith:     {"never_with", nil, []string{"never with", "do not share with", "not with", "excluded members"}},
		fieldFirstObserved: {"first_observed", nil, []string{"first observed", "first seen", "observed from"}},
		fieldLastObserved:  {"last_observed", nil, []string{"last observed", "last seen", "observed until"}},
		fieldSource:        {"source_evaluation", nil, []string{"source evaluation", "source grading", "source reliability"}},
		fieldInformation:   {"information_evaluation", nil, []string{"information evaluation", "information grading", "information reliability", "info evaluation"}},
		fieldCodes:         {"codes", nil, []string{"codes", "handling codes", "handling code", "handling"}},
		fieldCase:          {"case_reference", nil, []string{"case reference", "case", "case number", "case no", "case id", "file number", "reference"}},
		fieldExpires:       {"expires", nil, []string{"expires", "expiry", "expiry of record", "retain until", "delete after", "retention date"}},
	}
}

// valueNames are the headers under which a value of a kind is found: strong ones say
// the kind, weak ones are taken only if no strong one is there.
func valueNames(k indicator.Kind) (strong, weak []string) {
	weak = []string{"value", "indicator", "identifier", "number", "nr", "no", "nomor", "หมายเลข", "số", "numéro", "número", "号码", "رقم"}
	switch k {
	case indicator.Phone:
		strong = []string{"phone", "phones", "msisdn", "telephone", "telephone number", "telephone no", "phone number", "phone no", "phonenumber",
			"mobile", "mobile number", "mobile no", "mobile phone", "cell", "cell phone", "cellphone", "tel", "tel no", "contact number", "subscriber number", "whatsapp number",
			"telepon", "nomor telepon", "no telepon", "no telp", "nomor hp", "no hp", "handphone", "nombor telefon", "no telefon", "telefon",
			"โทรศัพท์", "เบอร์โทร", "เบอร์โทรศัพท์", "หมายเลขโทรศัพท์", "điện thoại", "số điện thoại", "téléphone", "numéro de téléphone", "teléfono", "telepono",
			"电话", "电话号码", "手机", "手机号", "手机号码", "電話", "電話號碼", "電話番号", "전화번호", "رقم الهاتف", "الهاتف", "ဖုန်းနံပါတ်", "ទូរស័ព្ទ", "ເບີໂທ"}
	case indicator.Document:
		strong = []string{"document", "document number", "document no", "doc number", "doc no", "passport", "passport number", "passport no", "travel document",
			"travel document number", "mrz", "id number", "id card", "id card number", "nomor paspor", "no paspor", "paspor", "nombor pasport", "pasport",
			"หนังสือเดินทาง", "เลขที่หนังสือเดินทาง", "hộ chiếu", "số hộ chiếu", "passeport", "pasaporte", "护照", "护照号", "护照号码", "رقم جواز السفر"}
	case indicator.Handle:
		strong = []string{"handle", "handles", "username", "user name", "user", "user id", "account name", "screen name", "profile", "profile url", "social media", "nama pengguna", "ชื่อผู้ใช้", "tên người dùng", "用户名"}
	case indicator.Email:
		strong = []string{"email", "emails", "e mail", "email address", "e mail address", "mail", "surel", "อีเมล", "thư điện tử", "courriel", "correo", "电子邮件", "邮箱", "البريد الإلكتروني"}
	case indicator.Account:
		strong = []string{"account", "account number", "account no", "bank account", "bank account number", "iban", "nomor rekening", "no rekening", "เลขที่บัญชี", "số tài khoản", "compte", "cuenta", "账号", "账户"}
	case indicator.Wallet:
		strong = []string{"wallet", "wallets", "wallet address", "crypto address", "address", "btc address", "eth address", "usdt address", "钱包地址"}
	case indicator.Person:
		weak = []string{"value", "indicator"}
		strong = []string{"name", "full name", "fullname", "names", "person name", "subject", "subject name", "complete name", "nama", "nama lengkap", "nama penuh",
			"ชื่อ", "ชื่อ นามสกุล", "tên", "họ tên", "họ và tên", "nom", "nom complet", "nombre", "nombre completo", "pangalan", "姓名", "名字", "氏名", "이름", "성명", "الاسم", "الاسم الكامل", "نام", "имя", "фио"}
	case indicator.Face:
		weak = []string{"value", "indicator"}
		strong = []string{"vector", "embedding", "template", "face vector", "face embedding", "face template", "feature vector", "features", "descriptor", "特征向量", "人脸特征"}
	case indicator.Domain:
		strong = []string{"domain", "domains", "domain name", "host", "hostname", "website", "site", "ชื่อโดเมน", "tên miền", "域名"}
	}
	return append([]string{string(k)}, strong...), weak
}

// valueName is what a value of the kind is called where it stands beside what completes it.
func valueName(k indicator.Kind) string {
	switch k {
	case indicator.Person:
		return "name"
	case indicator.Face:
		return "vector"
	}
	return string(k)
}

// fold reduces a header to lower-case letters, digits and single spaces, so that case,
// underscores and punctuation make no difference.
func fold(header string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFC.String(header) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// commonNames are headers of columns that we do not read. With them a first line is
// known to be a header even if no column of it is ours.
func commonNames() []string {
	return []string{"name", "full name", "first name", "last name", "surname", "given name", "alias", "nationality", "gender", "sex", "age",
		"date", "date of birth", "dob", "notes", "note", "remarks", "remark", "comment", "comments", "description", "status", "type", "id", "source", "officer", "unit", "s n", "row",
		"nama", "catatan", "tanggal", "keterangan", "ชื่อ", "หมายเหตุ", "วันที่", "tên", "ghi chú", "ngày", "nom", "nombre", "姓名", "备注", "日期", "الاسم"}
}

// fieldNamed returns the field of a mapping's key, which is our name or, for the value,
// the kind.
func fieldNamed(name string, k indicator.Kind) (field, bool) {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	if name == string(k) || name == valueName(k) {
		return fieldValue, true
	}
	for f, d := range definitions() {
		if d.name == name && (d.kinds == nil || slices.Contains(d.kinds, k)) {
			return field(f), true
		}
	}
	return 0, false
}

// fieldNames lists the fields of a kind, for messages.
func fieldNames(k indicator.Kind) string {
	var names []string
	for _, d := range definitions() {
		if d.kinds == nil || slices.Contains(d.kinds, k) {
			names = append(names, d.name)
		}
	}
	return strings.Join(names, ", ")
}
