//! Every error code, in one table. The first four are those of the platform that the specification describes; the
//! others are ours and stay as they are.

/// A code and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// What stands in `error.code`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Its heading on the errors page.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        $(pub(crate) const $name: Code = Code { code: $code, status: $status, title: $title };)*
        /// All of them.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    MISSING = "0001", 400, "A mandatory parameter is missing";
    MALFORMED = "0002", 400, "A parameter is malformed";
    REPEATED = "0003", 400, "A parameter was given more than once";
    ZERO = "0004", 400, "A number is zero where it may not be";
    BAD_BODY = "0005", 400, "The body is not valid";
    OUT_OF_RANGE = "1001", 400, "A parameter is out of range";
    NAME_TOKEN_MISMATCH = "1002", 400, "The name and the token belong to different conferences";
    BAD_SERVICE = "1003", 400, "An inbound service is not valid";
    BAD_TARGET = "1008", 400, "This target cannot be called";
    BAD_AUDIO = "1009", 422, "The file cannot be played";
    UNKNOWN_CONFERENCE = "1101", 404, "There is no conference of this name";
    UNKNOWN_RESERVATION = "1102", 404, "There is no reservation with this token";
    UNKNOWN_PARTICIPANT = "1103", 404, "There is no such participant in the conference";
    UNKNOWN_SERVICE = "1104", 404, "There is no inbound service of this name";
    UNKNOWN_USER = "1105", 404, "There is no SIP user of this name";
    UNKNOWN_TRUNK = "1106", 404, "There is no trunk of this name";
    UNKNOWN_WEBRTC_KEY = "1107", 404, "There is no such access key";
    UNKNOWN_KEY = "1108", 404, "There is no such API key";
    UNKNOWN_BAN = "1109", 404, "The source is not banned";
    UNKNOWN_ROOM = "1110", 404, "There is no room of this number";
    UNKNOWN_MEDIA = "1111", 404, "There is no sound of this name";
    UNKNOWN_PLAYBACK = "1112", 404, "There is no such playback in the conference";
    UNKNOWN_RECORDING = "1113", 404, "There is no such recording";
    UNKNOWN_MESSAGES = "1122", 404, "No messages of this call are kept";
    UNKNOWN_CALL = "1118", 404, "There is no such call record";
    UNKNOWN_PAST_CONFERENCE = "1119", 404, "There is no such conference in the history";
    NOT_RECORDED = "1114", 404, "The conference is not being recorded";
    UNKNOWN_ACCOUNT = "1121", 404, "There is no such account";
    UNKNOWN_PERSON = "1123", 404, "There is no such person";
    UNKNOWN_SESSION = "1124", 404, "There is no such session";
    WRONG_PASSWORD = "1125", 401, "Login or password is wrong";
    BAD_INVITATION = "1126", 404, "The invitation does not count";
    NOT_OUR_PAGE = "1127", 403, "A session counts on our own pages only";
    ROLE_FORBIDS = "1128", 403, "The role does not allow this";
    MAIL_TAKEN = "1129", 409, "The mail address is taken";
    UNKNOWN_LEADER_LINK = "1138", 404, "There is no such leader's link";
    BAD_LEADER_LINK = "1139", 404, "The leader's link does not count";
    WRONG_OLD_PASSWORD = "1140", 403, "The old password is wrong";
    ACCOUNT_EXISTS = "1141", 409, "There is such an account already";
    MAIL_OFF = "1142", 409, "Mail is not configured";
    UNKNOWN_SERIES = "1143", 404, "There is no such series";
    PASSWORDS_OFF = "1144", 403, "Passwords are switched off";
    OIDC_OFF = "1145", 404, "Signing in at a provider is not configured";
    UNKNOWN_GUEST_LINK = "1146", 404, "There is no such guest's link";
    BAD_GUEST_LINK = "1147", 404, "The guest's link does not count";
    NO_GUEST_SERVICE = "1148", 409, "No inbound service takes guests to the conference";
    WRONG_PIN = "1160", 422, "This PIN is not for invitations";
    RECORDING_NOT_WRITTEN = "1157", 503, "The recording cannot be written";
    FILES_LEFT = "1158", 503, "The files of the recording are not deleted yet";
    SECRET_CHANGES = "1159", 409, "The webhook's secret is being replaced";
    EVENTS_GONE = "1115", 410, "The events are not kept any more";
    UNKNOWN_WEBHOOK = "1116", 404, "There is no webhook of this name";
    UNKNOWN_DELIVERY = "1117", 404, "There is no such delivery";
    NO_END = "1152", 409, "The conference has no end";
    NOT_ASKED = "1153", 409, "The participant cannot be asked to unmute itself";
    WRONG_STATE = "1201", 409, "The conference is in another state";
    NAME_TAKEN = "1202", 409, "The conference name is taken";
    TOO_LATE_TO_REMOVE = "1203", 409, "It is too late to remove the reservation";
    TOO_LATE_TO_EXTEND = "1204", 409, "It is too late to extend the reservation";
    TOO_LONG = "1205", 409, "The conference would last too long";
    NO_SEATS = "1206", 409, "Not enough seats are left";
    SERVICE_NAME_TAKEN = "1207", 409, "The service name is taken";
    USER_NAME_TAKEN = "1208", 409, "The user name is taken";
    TRUNKS_BUSY = "1209", 409, "All lines of the trunk are in use";
    NOT_REGISTERED = "1210", 409, "The user's telephone is not registered";
    NOT_NOW = "1211", 409, "The call is not in a state for this";
    WEBRTC_KEY_TAKEN = "1212", 409, "The access key is taken";
    CHANGED_MEANWHILE = "1213", 412, "It has changed meanwhile";
    IDEMPOTENCY_KEY_IN_USE = "1214", 409, "The first request with this idempotency key is under way";
    IDEMPOTENCY_KEY_REUSED = "1215", 422, "The idempotency key was used for another request";
    TOO_MANY = "1216", 409, "There are as many as there may be";
    MEDIA_FULL = "1217", 409, "The account's sounds are too large together";
    ALREADY_RECORDED = "1218", 409, "The conference is being recorded already";
    NOBODY_TO_RECORD = "1219", 409, "Nobody is in the conference";
    RECORDING_RUNS = "1220", 409, "The recording is running";
    NOT_PERMITTED = "1301", 403, "No rule allows this outgoing call";
    LACKS_SCOPE = "1303", 403, "The key lacks a scope";
    OTHER_CONFERENCE = "1304", 403, "The key is for another conference";
    RECORDING_OFF = "1305", 403, "Recordings are switched off";
    STORAGE_FULL = "1401", 507, "Too little disk space is left to record";
    FOREIGN_PAGE = "1302", 403, "A page of another site may not do this";
}
