-- A reservation with a new name for each request.
local start = os.getenv("START")
local count = 0
function request()
  count = count + 1
  return wrk.format("GET", "/conference_reservation_create?conference_name=Bench" .. count ..
    "&max_participants=40&start_time=" .. start .. "&duration=15")
end
