package bench
import ("testing";"encoding/json";"os";"strconv")
func TestTmp(t *testing.T){ n,_:=strconv.ParseInt(os.Getenv("N"),10,64); r,err:=Run(t.Context(),"intake",Params{"rows":n}); if err!=nil{t.Fatal(err)}; b,_:=json.MarshalIndent(r,""," "); t.Log(string(b))}
