import {
  Activity,
  AudioLines,
  Ban,
  Building2,
  Cable,
  CalendarDays,
  ChartNoAxesColumn,
  DoorOpen,
  History,
  House,
  KeyRound,
  Phone,
  PhoneCall,
  ScrollText,
  Settings,
  ShieldCheck,
  Users,
  Waypoints,
} from "lucide-react";
import type { ReactNode } from "react";
import { t } from "../texts/console";
import { mayDo, type Scope, type Session } from "./session";

export interface Place {
  to: string;
  text: string;
  icon: ReactNode;
  scope: Scope;
}

const places = (): { title: string; places: Place[] }[] => [
  {
    title: t("nav.conferences"),
    places: [
      { to: "/", text: t("nav.home"), icon: <House />, scope: "read" },
      { to: "/bookings", text: t("nav.bookings"), icon: <CalendarDays />, scope: "read" },
    ],
  },
  {
    title: t("nav.records"),
    places: [
      { to: "/calls", text: t("nav.calls"), icon: <PhoneCall />, scope: "records" },
      { to: "/history", text: t("nav.history"), icon: <History />, scope: "records" },
      { to: "/recordings", text: t("nav.recordings"), icon: <AudioLines />, scope: "records" },
      { to: "/usage", text: t("nav.usage"), icon: <ChartNoAxesColumn />, scope: "records" },
      { to: "/audit", text: t("nav.audit"), icon: <ShieldCheck />, scope: "audit" },
    ],
  },
  {
    title: t("nav.account"),
    places: [
      { to: "/setup/services", text: t("nav.services"), icon: <Waypoints />, scope: "config" },
      { to: "/setup/rooms", text: t("nav.rooms"), icon: <DoorOpen />, scope: "config" },
      { to: "/setup/trunks", text: t("nav.trunks"), icon: <Cable />, scope: "config" },
      { to: "/setup/telephones", text: t("nav.telephones"), icon: <Phone />, scope: "config" },
      { to: "/setup/people", text: t("nav.people"), icon: <Users />, scope: "config" },
      { to: "/setup/keys", text: t("nav.keys"), icon: <KeyRound />, scope: "config" },
    ],
  },
  {
    title: t("nav.operation"),
    places: [
      { to: "/health", text: t("nav.health"), icon: <Activity />, scope: "operator" },
      { to: "/bans", text: t("nav.bans"), icon: <Ban />, scope: "operator" },
      { to: "/accounts", text: t("nav.accounts"), icon: <Building2 />, scope: "operator" },
      { to: "/log", text: t("nav.log"), icon: <ScrollText />, scope: "operator" },
      { to: "/settings", text: t("nav.settings"), icon: <Settings />, scope: "operator" },
    ],
  },
];

/** The pages that the one who is signed in may open, in their groups. */
export function placesFor(session: Session): { title: string; places: Place[] }[] {
  // A leader's link opens one room and nothing else.
  if (session.leader) return [];
  return places()
    .map((group) => ({ ...group, places: group.places.filter((place) => mayDo(session, place.scope)) }))
    .filter((group) => group.places.length > 0);
}
