// Dialogs that change organizations, spaces and roles.
import { useState } from 'react';
import { FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { ApiError, callEndpoint, listOf, runJob } from '../api/client';
import type { Endpoint, Named } from '../api/types';
import { t } from '../strings';
import { Confirm, Field, FormDialog, useToast } from '../ui/parts';

export type Place = 'organizations' | 'spaces';
const kUnprocessable = 422;
const kRoles = [
  'space_developer', 'space_manager', 'space_auditor', 'space_supporter', 'organization_user', 'organization_manager', 'organization_auditor', 'organization_billing_manager',
];
const kRemoveTexts = { organizations: t.cf.removeOrganization, spaces: t.cf.removeSpace, service_instances: t.cf.removeService };
export const roleText = (type: string) => type.replace(/_/g, ' ');

export function useChanged(endpoint: Endpoint) {
  const queries = useQueryClient();
  const toast = useToast();
  return async (text: string) => {
    toast(text);
    await queries.invalidateQueries({ queryKey: ['cf', endpoint.guid] });
  };
}

/** Makes a place, or names it anew when there is one. */
export function NamePlace({ endpoint, collection, organization, place, onClose }: {
  endpoint: Endpoint; collection: Place; organization?: string; place?: Named; onClose: () => void;
}) {
  const changed = useChanged(endpoint);
  const [name, setName] = useState(place?.name ?? '');
  const submit = async () => {
    const wanted = name.trim();
    if (place) {
      await callEndpoint(endpoint.guid, `v3/${collection}/${place.guid}`, { method: 'PATCH', json: { name: wanted } });
    } else {
      await callEndpoint(endpoint.guid, `v3/${collection}`, { json: { name: wanted, ...(organization && { relationships: { organization: { data: { guid: organization } } } }) } });
    }
    await changed(place ? t.cf.renamed(place.name, wanted) : t.cf.made(wanted));
  };
  const title = place ? t.cf.renameTitle(place.name) : collection === 'spaces' ? t.cf.createSpace : t.cf.createOrganization;
  return (
    <FormDialog title={title} action={place ? t.cf.rename : t.cf.create} isReady={Boolean(name.trim())} onSubmit={submit} onClose={onClose}>
      <Field id="place-name" label={t.cf.name} value={name} onChange={setName} />
    </FormDialog>
  );
}

export function DeletePlace({ endpoint, collection, place, onClose }: { endpoint: Endpoint; collection: Place | 'service_instances'; place: Named; onClose: () => void }) {
  const changed = useChanged(endpoint);
  const remove = async (report: (state: string) => void) => {
    await runJob(endpoint.guid, `v3/${collection}/${place.guid}`, { method: 'DELETE' }, report);
    await changed(t.cf.removed(place.name));
  };
  return (
    <Confirm title={t.cf.removeTitle(place.name)} text={kRemoveTexts[collection](place.name)} action={t.cf.remove}
      onConfirm={remove} onClose={onClose} />
  );
}

async function findByName(endpoint: Endpoint, collection: Place, title: string, name: string, query: Record<string, string> = {}): Promise<string> {
  const { resources: [found] } = await listOf<Named>(endpoint.guid, collection, { ...query, names: name });
  if (!found) throw new Error(t.cf.noSuch(title, name));
  return found.guid;
}

export function AddRole({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const changed = useChanged(endpoint);
  const [user, setUser] = useState('');
  const [role, setRole] = useState(kRoles[0] ?? '');
  const [organization, setOrganization] = useState('');
  const [space, setSpace] = useState('');
  const inSpace = role.startsWith('space_');
  const submit = async () => {
    const inOrganization = await findByName(endpoint, 'organizations', t.cf.organizationName, organization.trim());
    const place = inSpace ? await findByName(endpoint, 'spaces', t.cf.spaceName, space.trim(), { organization_guids: inOrganization }) : inOrganization;
    const add = (type: string, kind: string, guid: string) => callEndpoint(endpoint.guid, 'v3/roles', {
      json: { type, relationships: { user: { data: { username: user.trim() } }, [kind]: { data: { guid } } } },
    });
    if (inSpace) {
      // Who has a role in a space has to be a user of its organization; most are already, which is refused with this status.
      await add('organization_user', 'organization', inOrganization).catch((error: unknown) => {
        if (!(error instanceof ApiError && error.status === kUnprocessable)) throw error;
      });
    }
    await add(role, inSpace ? 'space' : 'organization', place);
    await changed(t.cf.roleAdded(user.trim(), roleText(role)));
  };
  const ready = Boolean(user.trim() && organization.trim() && (!inSpace || space.trim()));
  return (
    <FormDialog title={t.cf.addRole} action={t.cf.addRole} isReady={ready} onSubmit={submit} onClose={onClose}>
      <Field id="role-user" label={t.cf.userName} value={user} onChange={setUser} autoComplete="off" />
      <FormGroup label={t.cf.role} fieldId="role-type">
        <FormSelect id="role-type" value={role} onChange={(_, value) => setRole(value)}>
          {kRoles.map((type) => <FormSelectOption key={type} value={type} label={roleText(type)} />)}
        </FormSelect>
      </FormGroup>
      <Field id="role-organization" label={t.cf.organizationName} value={organization} onChange={setOrganization} />
      {inSpace && <Field id="role-space" label={t.cf.spaceName} value={space} onChange={setSpace} />}
    </FormDialog>
  );
}

export interface HeldRole { guid: string; user: string; role: string; place: string }
export function RemoveRole({ endpoint, held, onClose }: { endpoint: Endpoint; held: HeldRole; onClose: () => void }) {
  const changed = useChanged(endpoint);
  const remove = async (report: (state: string) => void) => {
    await runJob(endpoint.guid, `v3/roles/${held.guid}`, { method: 'DELETE' }, report);
    await changed(t.cf.roleRemoved(held.user, held.role));
  };
  return (
    <Confirm title={t.cf.removeRoleTitle(held.user)} text={t.cf.removeRoleText(held.user, held.role, held.place)} action={t.cf.removeRole} onConfirm={remove} onClose={onClose} />
  );
}
