package indicator

import "strings"

// isoCountries are ISO 3166-1: alpha-2 and alpha-3 of each country, five letters a piece.
const isoCountries = "ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW " +
	"AXALA AZAZE BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN " +
	"BOBOL BQBES BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG " +
	"CHCHE CICIV CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE " +
	"DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN " +
	"FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL " +
	"GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV " +
	"HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM " +
	"JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO " +
	"LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE " +
	"MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS " +
	"MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL " +
	"NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM PNPCN PRPRI " +
	"PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN " +
	"SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV " +
	"SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON " +
	"TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN " +
	"VGVGB VIVIR VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE"

// icaoIssuers are the codes of ICAO Doc 9303 part 3 section 5 that ISO 3166-1 does not
// have: organisations, kinds of British and Chinese nationality documents, persons
// without a defined nationality, and states that have been dissolved but whose documents
// still turn up. UTO is the specimen state.
const icaoIssuers = "EUE GBD GBN GBO GBP GBS RKS UNA UNK UNO UTO XBA XCC XCE XCO XCT XDC XEC XES XIM XMP " +
	"XOM XPO XXA XXB XXC XXX NTZ ANT CSK DDR SCG SUN YUG"

// issuerAliases map what agencies write to the code that stands in the document.
const issuerAliases = "DEU=D<< DE=D<< D=D<< BRD=D<< UK=GBR EL=GRC XK=RKS XKX=RKS KOS=RKS UN=UNO EU=EUE " +
	"ROM=ROU ZAR=COD TMP=TLS BUR=MMR"

// alpha2 returns the ISO alpha-2 code of an alpha-3 code or ICAO issuer, "" if it has none.
func alpha2(alpha3 string) string {
	switch alpha3 {
	case "D<<":
		return "DE"
	case "GBD", "GBN", "GBO", "GBP", "GBS":
		return "GB"
	}
	for i := 0; i+5 <= len(isoCountries); i += 6 {
		if isoCountries[i+2:i+5] == alpha3 {
			return isoCountries[i : i+2]
		}
	}
	return ""
}

// issuerCode returns the three characters under which ICAO Doc 9303 knows an issuer, and
// whether the input was written differently.
func issuerCode(s string) (code string, changed, ok bool) {
	code = strings.TrimRight(strings.ToUpper(strings.TrimSpace(s)), "<")
	if code == "D" {
		return "D<<", strings.TrimSpace(s) != "D<<", true
	}
	for alias := range strings.FieldsSeq(issuerAliases) {
		if from, to, _ := strings.Cut(alias, "="); from == code {
			return to, true, true
		}
	}
	if len(code) == 3 && knownIssuer(code) {
		return code, code != s, true
	}
	for i := 0; len(code) == 2 && i+5 <= len(isoCountries); i += 6 {
		if isoCountries[i:i+2] == code {
			return isoCountries[i+2 : i+5], true, true
		}
	}
	return "", false, false
}

// knownIssuer reports a code of three characters that is canonical as it stands.
func knownIssuer(code string) bool {
	if code == "D<<" {
		return true
	}
	if len(code) != 3 || code == "DEU" {
		return false
	}
	for special := range strings.FieldsSeq(icaoIssuers) {
		if special == code {
			return true
		}
	}
	return alpha2(code) != ""
}

// Country returns the ISO 3166-1 alpha-2 code of the country that a value points to: of a
// phone's numbering plan, a document's issuer, an account's bank; "" when there is none or
// it does not show. It reveals nothing but that.
func (v Value) Country() string {
	switch v.kind {
	case Phone:
		return phoneCountry(v.Canonical())
	case Document:
		issuer, _, _ := strings.Cut(v.Canonical(), ":")
		return alpha2(issuer)
	case Account:
		name, rest, _ := strings.Cut(v.Canonical(), ":")
		if name == schemeIBAN {
			return rest[:2]
		}
		if sc, ok := schemeNamed(name); ok {
			return sc.country
		}
	}
	return ""
}
