package plan

import (
	"slices"
	"strings"
)

// Thing is what a property seems to be.
type Thing string

// things are what can be told. In order: of two that fit, the first is taken.
//
// A thing is told by its name when the form isn't against it, and by its form alone when that form
// is hardly anything else's.
var things = []struct {
	thing Thing
	names string // in words of lower case: "e mail" is e_mail, eMail and e-mail
	forms []Form // that the name needs; none is any
	alone []Form // that need no name
	// Where programmes have it: elements first, then Fideslang keys, best first.
	elements, keys string
}{
	// What ends like something else and isn't.
	{"", "product name,event name,file name,filename,page name,app name,campaign name,plan name,brand name,host name,hostname,domain name,step name,feature name,button name,list name,coupon name,event title,page title,product title,product description", nil, nil, "", ""},
	{"card_number", "card number,credit card,credit card number,card,cc number,pan,card no", []Form{FormCard, FormInteger, FormText, FormWord}, []Form{FormCard},
		"card_details,card_number,credit_card", "user.financial.credit_card,user.payment,user.financial"},
	{"bank_account", "iban,bank account,account number,bank account number,sort code,routing number", nil, []Form{FormIBAN},
		"bank_account,bank_details,iban", "user.financial.bank_account,user.financial.account_number,user.payment,user.financial"},
	{"email_address", "email,e mail,mail,email address,mail address,user email,contact email,customer email", []Form{FormEmail}, []Form{FormEmail},
		"email_address,email", "user.contact.email,user.contact"},
	{"coordinates", "lat,latitude,lng,lon,longitude,coordinates,coords,latlng,geo,geolocation,geo location,location,gps,geohash", []Form{FormDecimal, FormDegrees, FormList, FormObject, FormInteger}, []Form{FormDegrees},
		"", ""},
	{"phone_number", "phone,phone number,mobile,mobile number,mobile phone,msisdn,tel,telephone,telephone number,cell,cell phone,fax,whatsapp", []Form{FormPhone, FormInteger, FormCard, FormText, FormWord}, []Form{FormPhone},
		"phone_number,phone", "user.contact.phone_number,user.contact"},
	{"ip_address", "ip,ip address,client ip,remote ip,remote addr,ipv4,ipv6,ip addr", []Form{FormIP}, []Form{FormIP},
		"ip_address", "user.device.ip_address,user.device"},
	{"date_of_birth", "birthday,birth date,date of birth,dob,birthdate,born,birth day,born on", []Form{FormDate, FormTime, FormInteger, FormText, FormWord}, nil,
		"date_of_birth,birth_date,birthday", "user.demographic.date_of_birth,user.demographic"},
	{"age", "age,age range,age group,birth year,year of birth", nil, nil, "age", "user.demographic.age_range,user.demographic"},
	{"gender", "gender,sex", []Form{FormWord, FormText, FormInteger}, nil, "gender", "user.demographic.gender,user.demographic"},
	{"national_id", "ssn,social security number,national id,national insurance number,nino,pps,ppsn,passport,passport number,tax id,tin,driving licence,drivers license,id number,government id", nil, nil,
		"government_issued_ids,proof_of_identity,national_id", "user.government_id"},
	{"password", "password,passwd,pwd,passphrase,pin,secret", nil, nil, "password", "user.authorization.password,user.authorization.credentials,user.authorization"},
	{"credential", "token,api key,access token,api token,refresh token,auth token,session token,otp,jwt,bearer", []Form{FormWord, FormText, FormUUID, FormInteger}, nil,
		"api_tokens,token", "user.authorization"},
	{"username", "username,user name,login,handle,screen name,nickname,nick name", []Form{FormWord, FormText, FormEmail}, nil,
		"username", "user.account.username,user.account"},
	{"company_name", "company,company name,organisation,organization,employer,organisation name,organization name", []Form{FormWord, FormText, FormObject}, nil,
		"company_name,company", "user.professional_information,user.contact.organization"},
	{"job_title", "job title,title,position,occupation,profession,job", []Form{FormWord, FormText}, nil,
		"job_title", "user.job_title,user.professional_information"},
	{"person_name", "name,full name,first name,last name,surname,given name,family name,middle name,display name,firstname,lastname,fullname,contact name,customer name", []Form{FormWord, FormText}, nil,
		"name,full_name", "user.name.first,user.name,user.contact"},
	{"postal_address", "address,street,street address,address line,postcode,post code,zip,zip code,postal code,billing address,shipping address,delivery address,house number,home address", []Form{FormWord, FormText, FormObject, FormInteger}, nil,
		"business_address,postal_address,address,billing_address", "user.contact.address,user.contact"},
	{"general_location", "city,town,location,country,region,state,county,country code,locality,province", []Form{FormWord, FormText}, nil,
		"general_location_city_town,general_location,location", "user.location,user.contact.address.city,user.device"},
	{"user_agent", "user agent,useragent,ua,browser,browser version", []Form{FormText, FormWord, FormObject}, nil,
		"browser_type", "user.device.browser,user.device"},
	{"device_id", "device id,deviceid,idfa,idfv,gaid,aaid,advertising id,imei,mac,mac address,udid,fcm token,push token", []Form{FormUUID, FormWord, FormText, FormInteger, FormCard}, nil,
		"device_ids,device_id", "user.device.device_id,user.device"},
	{"device", "os,os version,device,device model,device type,manufacturer,screen,screen size,screen resolution,platform", []Form{FormWord, FormText, FormObject, FormInteger, FormDecimal}, nil,
		"os_type_version,manufacturer_model,device", "user.device"},
	{"time_zone", "time zone,timezone,tz", []Form{FormWord, FormText, FormInteger}, nil, "time_zone", "user.device,user.location"},
	{"social_profile", "linkedin,twitter,facebook,instagram,social profile,profile url,github", []Form{FormURL, FormWord}, nil,
		"social_media_profile_urls", "user.contact.social_url,user.contact"},
	{"page", "url,page,page url,path,referrer,referer,landing page,href,search,query,search query,search term", []Form{FormURL, FormWord, FormText}, nil,
		"browsing_behaviour,page_and_feature_interactions", "user.behavior.browsing_history,user.behavior"},
	{"message_text", "message,body,text,comment,note,notes,feedback,review,description,subject,content,transcript", []Form{FormText, FormWord}, nil,
		"text_body,email_body,feedback,other_uploaded_data", "user.content.private,user.content"},
	{"purchase", "order id,order number,amount,price,total,revenue,currency,invoice,quantity,sku,product,products", nil, nil,
		"purchase_history", "user.behavior.purchase_history,user.payment"},
	{"preference", "consent,opt in,opt out,newsletter,marketing,unsubscribed,subscribed,preferences,gdpr consent", nil, nil,
		"communication_preferences,privacy_settings", "user.privacy_preferences,user.settings"},
	{"diet_or_health", "diet,dietary,dietary requirements,allergies,accessibility,disability,health,medical,diagnosis", nil, nil,
		"dietary_requirements,accessibility_needs", "user.health"},
	{"id_of_a_person", "user id,customer id,account id,member id,person id,subscriber id,contact id,profile id", nil, nil,
		"unique_account_ids,account_names", "user.unique_id,user.account"},
}

// byName leads from a name in words to places in things.
var byName = func() map[string][]int {
	m := map[string][]int{}
	for i := range things {
		for name := range strings.SplitSeq(things[i].names, ",") {
			m[name] = append(m[name], i)
		}
	}
	return m
}()

// Looks says what a property looks like by its name and the form of its value, "" when that says
// nothing. Of a longer name, such as "shippingContactEmail", the last words count.
func Looks(name string, form Form) Thing {
	words := wordsOf(name)
	for from := max(0, len(words)-4); from < len(words); from++ {
		for _, i := range byName[strings.Join(words[from:], " ")] {
			if t := &things[i]; fitsForm(t.forms, form) {
				return t.thing
			}
		}
	}
	for i := range things {
		if slices.Contains(things[i].alone, form) {
			return things[i].thing
		}
	}
	return ""
}

func fitsForm(forms []Form, form Form) bool {
	if form == FormNothing || form == FormEmpty { // nothing is known of it but its name
		return true
	}
	if len(forms) == 0 {
		return true
	}
	return slices.Contains(forms, form)
}

// wordsOf splits a name into its words, in lower case: by dashes, dots, blanks, underscores and by
// capitals.
func wordsOf(name string) (words []string) {
	if len(name) > 100 {
		return nil
	}
	var word []byte
	end := func() {
		if len(word) > 0 {
			words, word = append(words, string(word)), nil
		}
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			before := i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z')
			after := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			if before || after {
				end()
			}
			word = append(word, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			word = append(word, c)
		default:
			end()
		}
	}
	end()
	return words
}

// knownNames are the names above in the usual spellings: paths may show them, since they are ours.
var knownNames = func() map[string]struct{} {
	all := map[string]struct{}{}
	for name := range byName {
		words := strings.Fields(name)
		camel := words[0]
		for _, w := range words[1:] {
			camel += strings.ToUpper(w[:1]) + w[1:]
		}
		for _, spelt := range []string{strings.Join(words, "_"), strings.Join(words, "-"), strings.Join(words, " "), camel,
			strings.ToUpper(camel[:1]) + camel[1:], strings.ToUpper(strings.Join(words, "_"))} {
			all[spelt] = struct{}{}
		}
	}
	return all
}()

func knownName(name string) bool {
	_, ok := knownNames[name]
	return ok
}
